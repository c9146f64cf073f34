# SPDX-License-Identifier: Apache-2.0
"""Pitches by MIDI number and by name: C4 is 60, as in the MIDI tuning of A4 = 69 = 440 Hz (other makers say C3 or C5).

The pitch that a sampler's wav file carries stands in its `smpl` chunk: unity note, and a fraction of a semitone in
units of 2^-32 (Microsoft, Multimedia Data Standards Update, 1994: 0x80000000 is 50 cents).
"""

import re
from pathlib import Path
from typing import BinaryIO

HIGHEST = 127
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_SHARPS = {"": 0, "#": 1, "♯": 1, "s": 1, "b": -1, "♭": -1}
_NAME = re.compile(r"([A-Ga-g])([#♯sb♭]?)(-?\d)")
_NUMBER = re.compile(r"\d{1,3}(?:\.\d+)?")
NOTE_PATTERN = r"[A-Ga-g][#♯sb♭]?-?\d|\d{1,3}"


def midi_note(text: str) -> float | None:
    """Read a MIDI number (60, 060, 60.5) or a note's name (C4, c#3, Bb2, Fs5); None for anything else.

    >>> midi_note("C#3"), midi_note("064"), midi_note("loop")
    (49.0, 64.0, None)
    """
    text = text.strip()
    named = _NAME.fullmatch(text)
    if named:
        letter, sharp, octave = named[1].lower(), named[2], int(named[3])
        note = 12.0 * (octave + 1) + _SEMITONES[letter] + _SHARPS[sharp]
    elif text.isascii() and _NUMBER.fullmatch(text):
        note = float(text)
    else:
        return None
    return note if 0 <= note <= HIGHEST else None


def unity_note(source: str | Path | BinaryIO) -> float | None:
    """Read the pitch in a wav file's `smpl` chunk, in MIDI numbers; None where there is none."""
    if isinstance(source, (str, Path)):
        with open(source, "rb") as file:
            return _unity_note(file)
    source.seek(0)
    return _unity_note(source)


def _unity_note(file: BinaryIO) -> float | None:
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None
    while len(header := file.read(8)) == 8:
        size = int.from_bytes(header[4:], "little")
        if header[:4] != b"smpl":
            file.seek(size + size % 2, 1)
            continue
        fields = file.read(20)
        note, fraction = int.from_bytes(fields[12:16], "little"), int.from_bytes(fields[16:20], "little")
        return note + fraction / 2**32 if len(fields) == 20 and note <= HIGHEST else None
    return None
