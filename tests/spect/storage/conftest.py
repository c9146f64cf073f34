# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

import fsspec
import pytest

from spect.storage import retry
from tests.spect.storage.servers import Servers, Wire, served

for library in ("s3fs", "moto", "aiohttp"):
    pytest.importorskip(library)
sshfs = pytest.importorskip("sshfs")


@dataclass(frozen=True)
class Place:
    """A storage: the addresses of names in it, and the wire to it."""

    kind: str
    at: Callable[[str], str]
    wire: Wire


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """All servers, started once."""
    with served(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture(autouse=True)
def own_home(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and a cache folder of the test's own; few tries, without waiting; no connection left by another."""
    for name, value in servers.environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(retry, "WAITS", (0.01,))
    monkeypatch.setattr(retry, "TRIES", 3)
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # workers are forked off it, with its credentials
    for wire in servers.wires.values():
        wire.cut(0, 0)
    for kind in ("s3", "http"):
        fsspec.get_filesystem_class(kind).clear_instance_cache()
    sshfs.SSHFileSystem.clear_instance_cache()


@pytest.fixture(params=["s3", "sftp"])
def place(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Place:
    """A storage that can be written."""
    return Place(request.param, servers.address(request.param, tmp_path.name), servers.wires[request.param])
