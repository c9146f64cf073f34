# SPDX-License-Identifier: Apache-2.0
"""dataset_tool_wav.py --beats: its options, the listening after the scan, and what is said of it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from patches.console import progress
from spect.beats.library import check_installed
from spect.beats.options import Beats
from spect.beats.report import Recordings, heard_rows, loss_lines, losses
from spect.dataset.listen import listen_all
from spect.dataset.options import Preparation
from spect.dataset.report import table
from spect.dataset.scan import Facts
from spect.dataset.sources import Source
from spect.dataset.survey import Survey
from spect.errors import SoundError

# click's names of the options, and Beats'
OPTIONS = {"bpm": "bpm", "bpm_min": "lowest", "bpm_max": "highest", "stride_beats": "stride_beats", "bars": "bars"}


def beats_of(arguments: Mapping[str, Any]) -> Beats | None:
    """Read --beats and the options that belong to it; None where it isn't given.

    Raises:
        SoundError: one of them without --beats, an impossible one, or its libraries are missing.
    """
    given = {name: arguments[option] for option, name in OPTIONS.items() if arguments[option] is not None}
    if not arguments["beats"]:
        if given:
            first = next(option for option in OPTIONS if arguments[option] is not None)
            name = first.replace("_", "-")
            raise SoundError(f"--{name}={arguments[first]:g}: only clips on the beat have it; add --beats")
        return None
    wanted = Beats(**given)
    check_installed()
    return wanted


def listened(
    source: Source, facts: Sequence[Facts], preparation: Preparation, executor: Executor | None, workers: int
) -> list[Facts]:
    """Listen to what the scan found good, where --beats asks for it."""
    if preparation.beats is None:
        return list(facts)
    found = []
    with progress("listen", round(sum(one.seconds for one in facts)), "s of music") as advance:
        for one in listen_all(source, facts, preparation, executor, workers):
            found.append(one)
            advance(round(one.seconds))
    return found


def told(found: Survey, preparation: Preparation) -> list[str]:
    """Say what was heard; nothing without --beats."""
    if preparation.beats is None or not found.heard:
        return []
    seconds = preparation.clip_samples / preparation.representation.sample_rate
    whole = sum(one.seconds for one in found.heard)
    every = _recordings(found)
    return ["", "Beats:", *table(heard_rows(every, preparation.beats, seconds, whole)), *loss_lines(every)]


def dropped(found: Survey) -> list[tuple[str, str]]:
    """List what was dropped of recordings that go in, by name: where and why."""
    good = {one.name for one in found.good}
    return losses([one for one in _recordings(found) if one[0] in good])


def dropped_lines(found: Survey, listed: Path | None) -> list[str]:
    """Say where the list of it is."""
    return [f"  parts of the music that were dropped are listed in {listed.name}"] if listed and dropped(found) else []


def _recordings(found: Survey) -> Recordings:
    return [(one.name, one.heard) for one in found.heard if one.heard is not None]
