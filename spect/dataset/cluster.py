# SPDX-License-Identifier: Apache-2.0
"""Workers on other machines: a dask.distributed cluster's executor, once every worker is seen to share our folders.

The jobs, their order and what comes of them are those of the local pool (spect.dataset.pool); only the pictures' way
differs: each piece gets a file of its own beside the archive (spect.dataset.work), on storage that all machines see
under the same path. A worker that dies takes its jobs back to the scheduler, which gives them to others.
"""

import logging
import os
import pickle
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spect.errors import SoundError
from spect.storage.address import Address

EXTRA = "pip install 'sg3-spect[dask]' (or distributed)"
SECONDS = 10  # that a scheduler may take to answer


@contextmanager
def cluster(address: str, source: Path | Address, folder: Path) -> Iterator[tuple[Executor, int]]:
    """Connect to a cluster; its executor, and how many jobs its workers do at once.

    Args:
        address: of the scheduler, such as tcp://10.0.0.1:8786.
        source, folder: what all workers must see, and where they must be able to write.

    Raises:
        SoundError: the package is missing, nobody answers, there are no workers, or they don't see the same folders.
    """
    try:
        import distributed
    except ImportError:
        raise SoundError(f"--executor=dask: needs the package distributed; {EXTRA}") from None
    for name in ("", ".client", ".core", ".scheduler", ".utils"):
        logging.getLogger(f"distributed{name}").setLevel(logging.CRITICAL)  # a lost scheduler is told in our own line
    try:
        distributed.comm.parse_host_port(distributed.comm.parse_address(address)[1])  # a client takes long to refuse it
        client = distributed.Client(address, timeout=SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SoundError(
            f"--scheduler: no scheduler answers at {address} ({_first_line(error)}); give the address that "
            "`dask scheduler` prints, such as tcp://10.0.0.1:8786"
        ) from None
    try:
        threads = client.nthreads()
        if not threads:
            raise SoundError(f"--scheduler: {address} has no workers; start some: dask worker {address}")
        _check_shared(client, source, folder)
        yield Carrier(client.get_executor(pure=False)), sum(threads.values())
    except distributed.KilledWorker as error:
        raise SoundError(f"--executor=dask: a job was given up, its workers died ({_first_line(error)})") from None
    except CancelledError:
        raise SoundError(f"--scheduler: the scheduler at {address} is gone; start again with --resume") from None
    finally:
        client.close(timeout=SECONDS)


class Carrier(Executor):
    """An executor that gets jobs as bytes, so that a scheduler, which unpacks what it passes on, needs no spect."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Run function(*arguments, **named) on a worker."""
        return self._executor.submit(_unpacker(), pickle.dumps((function, arguments, named)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel what is under way, or wait for it."""
        self._executor.shutdown(wait=wait and not cancel_futures)


def _unpacker() -> Callable[[bytes], Any]:
    def run(data: bytes) -> Any:  # inside a function, it travels by value
        import pickle

        function, arguments, named = pickle.loads(data)
        return function(*arguments, **named)

    return run


def _check_shared(client: Any, source: Path | Address, folder: Path) -> None:
    """Let every worker read a file of ours and write one, and see whether it is here."""
    name = f".shared.{secrets.token_hex(8)}"
    asked = folder / name
    try:
        asked.write_text(name)
        found = client.run(probe, source, asked, on_error="return")
        for worker, answer in found.items():
            if isinstance(answer, BaseException):
                raise SoundError(
                    f"--executor=dask: the worker {worker} can't run this program ({_first_line(answer)}); install the "
                    "same version there"
                )
            if answer or not _answer(asked, worker).exists():
                raise SoundError(
                    f"--executor=dask: the worker {worker} {answer or f'writes into another {folder}'}; source and "
                    "target must lie on storage that all machines share, under the same path"
                )
    finally:
        for file in folder.glob(f"{name}*"):
            file.unlink(missing_ok=True)


def probe(source: Path | Address, asked: Path, dask_worker: Any = None) -> str:
    """Say on a worker what it doesn't see or can't do of what it must; nothing where all is well."""
    from spect.dataset import work  # noqa: F401 what jobs will need

    if isinstance(source, Path) and not source.exists():
        return f"doesn't see {source}"
    if not asked.exists() or asked.read_text() != asked.name:
        return f"doesn't see {asked.parent}"
    try:
        _answer(asked, dask_worker.address).touch()
    except OSError as error:
        return f"can't write into {asked.parent} ({error.strerror})"
    return ""


def _answer(asked: Path, worker: str) -> Path:
    return asked.with_name(f"{asked.name}.{worker.replace(os.sep, '_').replace(':', '_')}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
