# SPDX-License-Identifier: Apache-2.0
"""Try again where a connection broke; not where there is nothing, or no permission."""

import time
from collections.abc import Callable
from typing import TypeVar

from spect.storage.address import Address, reason_of
from spect.storage.errors import StorageError

Result = TypeVar("Result")
TRIES = 5  # in a row, without any progress
WAITS = (0.5, 1.0, 2.0, 4.0)  # seconds before the next
LOST = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, NotImplementedError, MemoryError)
"""What trying again doesn't mend."""
REFUSALS = ("NoCredentialsError", "PermissionDenied", "HostKeyNotVerifiable", "KeyExchangeFailed", "InvalidURL")
"""Nor these, by their names, of libraries that may be absent."""
BUSY = (408, 425, 429)  # of what a web server answers, these pass


def tried(address: Address, what: str, do: Callable[[bool], Result], progress: Callable[[], int] = lambda: 0) -> Result:
    """Return do(fresh), tried again when it fails; `fresh` says that the connection has to be a new one.

    Args:
        what: is done with the address, for the message: "read", "written".
        progress: how far it has come; tries are counted anew when it has come further.

    Raises:
        StorageError: it isn't there or may not be touched, or it failed TRIES times in a row.
    """
    failed, before = 0, progress()
    while True:
        try:
            return do(failed > 0)
        except StorageError as error:
            if error.__cause__ is None or _is_final(error.__cause__):
                raise
            last: BaseException = error.__cause__
        except Exception as error:  # each library has its own for a broken connection
            if _is_final(error):
                raise StorageError(f"{address}: can't be {what} ({_told(error)})") from error
            last = error
        failed = 1 if progress() > before else failed + 1
        before = progress()
        if failed >= TRIES:
            raise StorageError(
                f"{address}: can't be {what} ({reason_of(last)}), tried {TRIES} times; run the same again when it can "
                "be reached"
            ) from last
        time.sleep(WAITS[min(failed, len(WAITS)) - 1])


def _is_final(error: BaseException) -> bool:
    status = getattr(error, "status", None)
    refused = isinstance(status, int) and 400 <= status < 500 and status not in BUSY
    return refused or isinstance(error, (*LOST, ImportError, ValueError)) or type(error).__name__ in REFUSALS


def _told(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError) or type(error).__name__ in REFUSALS:
        return f"{reason_of(error)}; docs/storage.md says where credentials are looked for"
    return reason_of(error)
