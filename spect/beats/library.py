# SPDX-License-Identifier: Apache-2.0
"""The libraries of the extra `beats`, imported where they are used: librosa takes seconds, and a compiler with it."""

from importlib.util import find_spec
from typing import Any

from spect.errors import SoundError

NEEDED = {"librosa": "librosa", "python_stretch": "python-stretch"}  # module, package


def check_installed() -> None:
    """Refuse where a library that --beats needs is missing.

    Raises:
        SoundError: which, and how to install it.
    """
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise SoundError(
            f"--beats: needs {' and '.join(missing)}; pip install {' '.join(missing)} (this project's extra `beats`)"
        )


def librosa() -> Any:
    """Import librosa (ISC): onset strength and a first tempo.

    Raises:
        SoundError: its compiler has nowhere to keep what it compiled.
    """
    try:
        import librosa as library
        import librosa.feature
        import librosa.onset
    except RuntimeError as error:  # numba, in an environment without any folder to write to
        raise SoundError(f"--beats: librosa can't start ({error}); set NUMBA_CACHE_DIR to a folder of yours") from None
    return library
