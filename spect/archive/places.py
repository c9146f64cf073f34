# SPDX-License-Identifier: Apache-2.0
"""Bytes at their places in open files: whole writes, whole reads, and copies that don't pass through this process."""

import errno
import os
from collections.abc import Iterable
from typing import Any

COPY_BYTES = 1 << 20
REAL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # others mean that the system can't copy these files


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data`."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


def read_at(descriptor: int, buffers: Iterable[Any], offset: int) -> bool:
    """Fill buffers, one after the other; False where the file ends before."""
    for buffer in buffers:
        view = memoryview(buffer)
        while view:
            done = os.preadv(descriptor, [view], offset)
            if not done:
                return False
            view, offset = view[done:], offset + done
    return True


def copy(source: int, target: int, offset: int) -> None:
    """Copy a whole file to a place in another: by the file system where it can, else in small blocks.

    Raises:
        OSError: the source became shorter meanwhile, or what the system says.
    """
    left, at, by_system = os.fstat(source).st_size, 0, hasattr(os, "copy_file_range")
    while at < left:
        done = _copy_by_system(source, target, left - at, at, offset + at) if by_system else 0
        if not done:
            by_system, block = False, os.pread(source, COPY_BYTES, at)
            if not block:
                raise OSError(errno.EIO, "a part became shorter while it was joined")
            write_at(target, block, offset + at)
            done = len(block)
        at += done


def _copy_by_system(source: int, target: int, count: int, at: int, offset: int) -> int:
    try:
        return os.copy_file_range(source, target, count, at, offset)
    except OSError as error:
        if error.errno in REAL_ERRORS:
            raise
        return 0
