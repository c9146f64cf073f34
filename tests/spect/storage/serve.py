# SPDX-License-Identifier: Apache-2.0
"""Storage servers in a process of their own, until it is killed: prints their ports as JSON.

python -m tests.spect.storage.serve FOLDER
"""

import asyncio
import http.server
import json
import os
import re
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

BUCKET = "bucket"


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder below /ranges, /whole (no ranges) and /endless (no ranges, no length)."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(True)

    def do_HEAD(self) -> None:
        self.answer(False)

    def answer(self, body: bool) -> None:
        """Answer with a file, or a page of links."""
        kind, _, rest = self.path.lstrip("/").partition("/")
        self.path = f"/{rest}"
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            (super().do_GET if body else super().do_HEAD)()
            return
        if not path.is_file():
            self.send_error(404)
            return
        data, asked = path.read_bytes(), re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start, stop = 0, len(data)
        if asked and kind == "ranges":
            start, stop = int(asked[1]), min(int(asked[2] or stop) + 1, stop)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Last-Modified", str(os.stat(path).st_mtime_ns))
        if kind == "whole":
            self.send_header("Accept-Ranges", "none")
        if kind == "endless":
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(data[start:stop] if body else b"")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve_web(root: Path) -> int:
    """Start the web server; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def serve_s3() -> int:
    """Start an S3 server with a bucket; its port."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    keys = {"aws_access_key_id": "me", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **keys).create_bucket(Bucket=BUCKET)
    return port


def serve_sftp(root: Path, keys: Path) -> tuple[int, str]:
    """Start an SFTP server that lets the key `keys`/id_ed25519 in; its port and its host key."""
    import asyncssh

    host_key, own_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    own_key.write_private_key(str(keys / "id_ed25519"))
    (keys / "authorized").write_bytes(own_key.export_public_key())
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[host_key], authorized_client_keys=str(keys / "authorized"),
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(root).encode()),
        )  # fmt: skip

    port = asyncio.run_coroutine_threadsafe(listen(), loop).result(20).get_port()
    return port, host_key.export_public_key().decode().strip()


def main() -> None:
    """Serve below a folder: `files` by SFTP and on the web."""
    folder = Path(sys.argv[1])
    (folder / "files").mkdir()
    sftp, host_key = serve_sftp(folder / "files", folder)
    ports = {"s3": serve_s3(), "sftp": sftp, "host_key": host_key, "web": serve_web(folder / "files")}
    print(json.dumps(ports), flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
