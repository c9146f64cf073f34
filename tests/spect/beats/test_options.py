# SPDX-License-Identifier: Apache-2.0
"""What may be asked of --beats, and how long its clips are."""

import sys
from importlib.machinery import PathFinder

import pytest

from spect.beats import library
from spect.beats.options import Beats, loop_samples, tempo_of
from spect.cmyk import Cmyk
from spect.dataset.options import Preparation
from spect.errors import SoundError


def test_the_defaults_are_electrogans() -> None:
    wanted = Beats()
    assert (wanted.bpm, wanted.lowest, wanted.highest, wanted.stride_beats, wanted.bars) == (130, 120, 145, 8, None)
    assert wanted.clip_samples(1_048_576, 44100) == 1_048_576  # 23.77 s, 51.5 beats: not a whole number


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"bpm": 0}, r"--bpm: got 0; allowed are 30 to 300"),
        ({"bpm": float("nan")}, r"--bpm: got nan"),
        ({"lowest": 150}, r"--bpm-min=150: must be below --bpm-max=145"),
        ({"highest": 280}, r"stretched by more than 2"),
        ({"stride_beats": 0}, r"--stride-beats: got 0"),
        ({"bars": 0}, r"--bars: got 0"),
    ],
)
def test_impossible_wishes_are_refused_by_name(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(SoundError, match=said):
        Beats(**arguments)  # type: ignore[arg-type]


def test_bars_are_exact_and_must_fit_the_canvas() -> None:
    shape = Cmyk(44100, 512, 512)  # 11.89 s
    prepared = Preparation(shape, beats=Beats(bars=4))
    assert prepared.clip_samples == round(16 * 60 * 44100 / 130) == loop_samples(16, 130, 44100)
    with pytest.raises(SoundError, match=r"--bars=8: 14\.77 s at 130 BPM don't fit.*11\.89 s; take --bars=6"):
        Preparation(shape, beats=Beats(bars=8))
    with pytest.raises(SoundError, match="take a higher --bpm or a larger --resolution"):
        Preparation(Cmyk(44100, 64, 64), beats=Beats(bars=1))


def test_it_cuts_by_itself() -> None:
    with pytest.raises(SoundError, match="--slice: --beats cuts on beats already"):
        Preparation(Cmyk(), beats=Beats(), slice=True, stride=100)
    with pytest.raises(SoundError, match="--trim-start"):
        Preparation(Cmyk(), beats=Beats(), trim_start=True)


def test_the_tempo_of_an_archive_is_told_by_its_summary() -> None:
    loops, clips = Preparation(Cmyk(), beats=Beats(bars=4)), Preparation(Cmyk(), beats=Beats(128))
    assert tempo_of({"preparation": loops.to_dict()}) == {"bpm": 130.0, "beats": 16}
    assert tempo_of({"preparation": clips.to_dict()}) == {"bpm": 128.0, "beats": None}
    assert tempo_of({"preparation": Preparation(Cmyk()).to_dict()}) is None
    assert tempo_of({}) is None


def test_missing_libraries_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "find_spec", lambda name: None if name == "librosa" else PathFinder.find_spec(name))
    with pytest.raises(
        SoundError, match=r"--beats: needs librosa; pip install librosa \(this project's extra `beats`\)"
    ):
        library.check_installed()
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(ImportError):
        library.librosa()
