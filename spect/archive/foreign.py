# SPDX-License-Identifier: Apache-2.0
"""Say what a file is that was given in place of an archive, and what to do about it."""

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from spect.archive import layout as zip64

SOUND_SUFFIXES = (".wav", ".aif", ".aiff", ".flac", ".ogg", ".mp3")
_MAKE = "make one of it with dataset_tool_wav.py --source={path} --dest=NAME.zip"


def describe(path: Path) -> str:
    """Explain in one line why `path` can't be opened as an archive of sounds."""
    return f"{path}: {_kind(path)}"


def _kind(path: Path) -> str:
    make = _MAKE.format(path=path)
    if not path.exists():
        return "no such file; an archive is made by dataset_tool_wav.py"
    if path.is_dir():
        return f"a folder, not an archive; {make}"
    if path.suffix.lower() in SOUND_SUFFIXES:
        return f"a sound, not an archive; {make}"
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        return f"can't be read ({error.strerror})"
    if not head:
        return "an empty file, not an archive; build it again with dataset_tool_wav.py"
    if head[:2] != b"PK":
        return f"not an archive of sounds; {make} from a folder of sounds".replace(f"={path}", "=FOLDER")
    return _kind_of_zip(path, make)


def _kind_of_zip(path: Path, make: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            summary = json.loads(archive.read(zip64.SUMMARY)) if zip64.SUMMARY in names else None
            shape = _canvas_shape(archive, names)
    except RuntimeError as error:  # encrypted, or packed in a way that Python doesn't know
        return f"a zip that can't be unpacked ({error}); {make} from a folder of sounds".replace(f"={path}", "=FOLDER")
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError):
        return "a truncated or damaged zip (its end is missing); copy it again, or build it again"
    if any(zip64.ITEM_NAME.fullmatch(name) for name in names) and isinstance(summary, dict) and "kind" in summary:
        return "an archive of sounds that another program has packed again; build it anew with dataset_tool_wav.py"
    if shape is not None:
        return (
            f"a zip of float32 pictures of {shape}, as the paper's own tool writes them: without a dataset.json of "
            "ours, which tells sample rate, lengths and statistics; build it anew from its sounds with "
            "dataset_tool_wav.py (--dc=dropped gives the paper's pictures)"
        )
    if any(name.lower().endswith(SOUND_SUFFIXES) for name in names):
        return f"a zip of sound files, not yet an archive; {make}"
    if any(name.lower().endswith((".png", ".jpg", ".jpeg")) for name in names):
        return "an archive of pictures, not of sounds; train.py takes it with --patches=none"
    return f"a zip without sounds in it; {make} from a folder of sounds".replace(f"={path}", "=FOLDER")


def _canvas_shape(archive: zipfile.ZipFile, names: list[str]) -> str | None:
    """Tell the shape of a zip's first array where it is float32 [F, T, 4]; None where it isn't, or there is none."""
    first = next((name for name in names if name.endswith(".npy")), None)
    if first is None:
        return None
    try:
        with archive.open(first) as file:
            if np.lib.format.read_magic(file) != (1, 0):
                return None
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    except ValueError:
        return None
    fits = dtype == np.float32 and len(shape) == 3 and shape[2] == 4
    return f"{shape[0]}x{shape[1]}x4" if fits else None
