# SPDX-License-Identifier: Apache-2.0
"""Labels that the sounds carry themselves: in their names, by a pattern, or as a pitch in their `smpl` chunks."""

import re
from collections.abc import Sequence
from os.path import splitext

from spect.dataset.labels_set import PITCH, AnySet, checked_name, set_of_texts
from spect.dataset.sources import Source
from spect.errors import SoundError
from spect.pitch import NOTE_PATTERN, unity_note

READY = {
    # bass_electronic_000-036-075.wav (Engel et al. 2017, NSynth): family, source, number, MIDI pitch, MIDI velocity
    "nsynth": r"(?P<instrument>[a-z_]+)_(?P<source>acoustic|electronic|synthetic)_\d+"
    r"-(?P<pitch>\d+)-(?P<velocity>\d+)$",
    # piano_C#3.wav, kick_064.wav, "grand piano Bb2.wav"
    "note": rf"(?P<instrument>[^/]+?)[ _-]+(?P<pitch>{NOTE_PATTERN})$",
}
OPTION = "--label-pattern"


def from_pattern(text: str, names: Sequence[str]) -> list[AnySet]:
    """Label files by the groups of a regular expression, searched for in their names without suffix.

    Args:
        text: one of READY, or an expression with named groups: (?P<instrument>...)_(?P<pitch>...).

    Raises:
        SoundError: not an expression, without named groups, or none of the files matches.
    """
    try:
        pattern = re.compile(READY.get(text, text))
    except re.error as error:
        raise SoundError(f"{OPTION}={text}: not a regular expression ({error}); {_hint()}") from None
    if not pattern.groupindex:
        raise SoundError(f"{OPTION}={text}: has no named group; {_hint()}")
    matches = {name: match for name in names if (match := pattern.search(splitext(name)[0]))}
    if not matches:
        raise SoundError(
            f"{OPTION}={text}: none of the {len(names)} files matches, the first is {names[0] if names else ''!r} "
            f"(suffixes are left out); {_hint()}"
        )
    return [
        set_of_texts(checked_name(group, OPTION), {name: match[group] or "" for name, match in matches.items()})
        for group in pattern.groupindex
    ]


def _hint() -> str:
    return f"ready are {', '.join(READY)}, or write each label as a group, such as '(?P<class>[a-z]+)_'"


def from_chunks(source: Source, names: Sequence[str]) -> AnySet:
    """Label wav files by the pitch in their `smpl` chunks.

    Raises:
        SoundError: none has one.
    """
    found = {}
    for name in names:
        note = _note(source, name)
        if note is not None:
            found[name] = str(int(note)) if note.is_integer() else repr(note)
    if not found:
        raise SoundError(
            f"--labels=smpl: none of the {len(names)} files carries a pitch in a smpl chunk; give pitches in the names "
            "with --label-pattern, or a csv of file,pitch"
        )
    return set_of_texts(PITCH, found)


def _note(source: Source, name: str) -> float | None:
    try:
        return unity_note(source.open(name))
    except (SoundError, OSError):
        return None  # the scan tells what is wrong with it
