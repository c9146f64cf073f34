# SPDX-License-Identifier: Apache-2.0
"""Let a process keep the memory that it frees.

glibc hands blocks of 32 MB and more back to the system as soon as they are freed, and the system clears each page anew
when the next layer asks for the same: a fifth of the time of a 256x256 network on a CPU.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
MOST = 2**31 - 1  # bytes kept at the end of the heap: all that mallopt's int can say


def keep_freed() -> bool:
    """Keep freed memory in this process from now on; return whether its C library could be told so (glibc alone)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(TRIM_THRESHOLD, MOST)) and bool(mallopt(MMAP_MAX, 0))
