# SPDX-License-Identifier: Apache-2.0
"""Let a process keep the memory that it frees.

glibc hands blocks of 32 MB and more back to the system as soon as they are freed, and the system clears each page anew
when the next layer asks for the same: a fifth of the time of a 256x256 network on a CPU.
"""

from __future__ import annotations

import ctypes

# Options of malloc.h's mallopt: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX; what glibc comes to by itself; all that
# mallopt's int can say.
KEPT = {-1: 2**31 - 1, -4: 0}
USUAL = {-1: 64 << 20, -3: 32 << 20, -4: 65536}


def keep_freed(*, keep: bool = True) -> bool:
    """Keep freed memory in this process from now on, or hand it back again as glibc does unless told.

    Returns whether the C library could be told so (glibc alone).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all(mallopt(option, value) for option, value in (KEPT if keep else USUAL).items())
