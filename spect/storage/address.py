# SPDX-License-Identifier: Apache-2.0
"""An address and the file system behind it, by fsspec; what is missing to reach it is told with its remedy.

    s3://bucket/sounds   gs://bucket/a.zip   sftp://me@host:22/home/me/a.zip   https://host/a.zip   file:///a.zip

Credentials come from where each service's own tools have them (~/.aws, AWS_ENDPOINT_URL, ~/.ssh, ...), never from here.
"""

import logging
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from spect.storage.errors import StorageError

LIBRARIES = {
    "s3": ("s3fs", "remote-s3"), "s3a": ("s3fs", "remote-s3"), "gs": ("gcsfs", "remote-gs"),
    "gcs": ("gcsfs", "remote-gs"), "sftp": ("sshfs", "remote-sftp"), "ssh": ("sshfs", "remote-sftp"),
    "http": ("aiohttp", "remote-http"), "https": ("aiohttp", "remote-http"),
}  # fmt: skip
"""What a kind of address needs, and the extra of this project that brings it."""
ATOMIC = ("s3", "s3a", "gs", "gcs")  # an object stands when it is whole, and can't be renamed
READ_ONLY = ("http", "https")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://.", re.DOTALL)
_CONNECT_SECONDS = 15
_KEEPALIVE_SECONDS, _KEEPALIVE_MISSED = 15, 4  # after a minute without an answer a connection is given up


def is_address(text: str | Path) -> bool:
    """Whether a text is an address, not a path."""
    return isinstance(text, str) and _ADDRESS.match(text) is not None


@dataclass(frozen=True)
class Address:
    """A file or a folder somewhere."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def protocol(self) -> str:
        """What stands before ://."""
        found = _ADDRESS.match(self.url)
        if found is None:
            raise StorageError(f"{self.url}: not an address; one looks like s3://bucket/name")
        return found[1]

    @property
    def name(self) -> str:
        """The last part."""
        return posixpath.basename(self._bare)

    @property
    def parent(self) -> "Address":
        """The folder that it stands in."""
        return Address(posixpath.dirname(self._bare))

    def child(self, name: str) -> "Address":
        """What is called `name` below it."""
        return Address(f"{self._bare}/{name}")

    @property
    def _bare(self) -> str:
        """Without a slash at the end, or what follows a ? in the address of a web page."""
        url = self.url.partition("?")[0] if self.protocol in READ_ONLY else self.url
        return url.rstrip("/")

    def system(self, *, fresh: bool = False) -> Any:
        """Give fsspec's file system; `fresh` for one with a connection of its own, after one was cut.

        Raises:
            StorageError: its library isn't installed, or nothing knows such addresses.
        """
        try:
            kind = _class_of(self.protocol)
            given = kind._get_kwargs_from_urls(self.url)
            system = kind(**given, **_options(self.protocol), skip_instance_cache=fresh)
            if self.protocol in ("s3", "s3a"):
                system.retries = 1  # tries are counted in one place, spect/storage/retry.py
            return system
        except ImportError as error:
            library, extra = LIBRARIES.get(self.protocol, ("", ""))
            remedy = f"pip install {library} (this project's extra `{extra}`)" if library else reason_of(error)
            raise StorageError(f"{self.url}: {self.protocol}:// needs a library that isn't there: {remedy}") from error
        except ValueError as error:
            known = ", ".join(f"{one}://" for one in LIBRARIES)
            raise StorageError(
                f"{self.url}: {error or 'not an address'}; addresses are {known}, or others that fsspec knows"
            ) from error
        except Exception as error:  # of whichever library; most connect at once
            raise StorageError(f"{self.url}: can't be reached ({reason_of(error)})") from error

    @property
    def path(self) -> str:
        """What the file system calls it."""
        return str(_class_of(self.protocol)._strip_protocol(self.url))


def _class_of(protocol: str) -> Any:
    if protocol in ("sftp", "ssh"):
        from sshfs import SSHFileSystem  # fsspec's own needs paramiko and knows no ranges

        logging.getLogger("asyncio").addFilter(_heard_of)
        return SSHFileSystem
    return fsspec.get_filesystem_class(protocol)


def _heard_of(record: logging.LogRecord) -> bool:
    """Pass over what asyncssh leaves behind when a connection breaks: the error itself is raised, and told."""
    return "exception was never retrieved" not in record.getMessage()


def _options(protocol: str) -> dict[str, Any]:
    if protocol in ("s3", "s3a"):
        waits = {"connect_timeout": _CONNECT_SECONDS, "read_timeout": _KEEPALIVE_SECONDS * _KEEPALIVE_MISSED}
        return {"config_kwargs": {"retries": {"max_attempts": 0}, **waits}}
    if protocol not in ("sftp", "ssh"):
        return {}
    # () stands for ~/.ssh/known_hosts: hosts are checked, as ssh does it
    return {"known_hosts": (), "keepalive_interval": _KEEPALIVE_SECONDS, "keepalive_count_max": _KEEPALIVE_MISSED}


def reason_of(error: BaseException) -> str:
    """Give an error of some library in one line."""
    text = " ".join(str(error).split())[:200]
    return text or type(error).__name__
