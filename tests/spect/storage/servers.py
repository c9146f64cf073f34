# SPDX-License-Identifier: Apache-2.0
"""The test's side of the storage servers (serve.py): addresses, credentials, and a wire between that can be cut."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.spect.storage.serve import BUCKET

ROOT = Path(__file__).parents[3]
QUIET = [pytest.mark.filterwarnings(f"ignore::{kind}") for kind in (
    "ResourceWarning", "pytest.PytestUnraisableExceptionWarning", "DeprecationWarning",
)]  # fmt: skip
"""The libraries close their sockets when they are collected."""


class Wire:
    """Hands bytes on between a port of its own and a server; cuts connections when told to."""

    def __init__(self, port: int) -> None:
        self.server, self.cuts, self.after, self._passed = port, 0, 0, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, times: int, after: int) -> None:
        """Cut so many times the connection over which bytes pass, whenever `after` bytes have passed."""
        self.cuts, self.after, self._passed = times, after, 0

    def close(self) -> None:
        """Take the wire away: whoever calls is refused."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                called = socket.create_connection(("127.0.0.1", self.server))
                for one in (caller, called):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for pair in ((caller, called), (called, caller)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._passed += len(data)
                if self.cuts and self._passed > self.after:
                    self.cuts, self._passed = self.cuts - 1, 0
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()


@dataclass(frozen=True)
class Servers:
    """What serve.py serves: the folder, and the wires by name."""

    folder: Path
    host_key: str
    wires: dict[str, Wire]

    @property
    def files(self) -> Path:
        """What SFTP and the web give."""
        return self.folder / "files"

    def environment(self, home: Path) -> dict[str, str]:
        """Give the variables that let a process in, and make the home folder that they name."""
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        shutil.copy(self.folder / "id_ed25519", home / ".ssh" / "id_ed25519")
        (home / ".ssh" / "id_ed25519").chmod(0o600)
        port = self.wires["sftp"].port
        (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {self.host_key}\n")
        return {
            "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.wires['s3'].port}",
        }  # fmt: skip

    def address(self, kind: str, folder: str) -> Callable[[str], str]:
        """Give addresses of names in a folder of one of the servers."""
        port = self.wires[kind].port
        root = {"s3": f"s3://{BUCKET}", "sftp": f"sftp://me@127.0.0.1:{port}", "web": f"http://127.0.0.1:{port}/ranges"}
        return lambda name: f"{root[kind]}/{folder}/{name}".rstrip("/")


@contextmanager
def served(folder: Path) -> Iterator[Servers]:
    """Start the servers, behind wires."""
    command = [sys.executable, "-m", "tests.spect.storage.serve", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            wires = {name: Wire(told[name]) for name in ("s3", "sftp", "web")}
            yield Servers(folder, told["host_key"], wires)
            for wire in wires.values():
                wire.close()
        finally:
            process.kill()
