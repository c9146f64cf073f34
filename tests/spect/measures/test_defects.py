# SPDX-License-Identifier: Apache-2.0
"""Every defect, built, is judged as that defect and no other; real sounds are mostly sound."""

import math
from pathlib import Path

import pytest
import torch

from spect import audio
from spect.measures.defects import UNITS, judge, measure

RATE = 44100
AUDIO = Path(__file__).parents[4] / "shared" / "audio"


def tone(level: float = 0.5) -> torch.Tensor:
    """Return a decaying chord. Shape: [2, L]."""
    time = torch.arange(RATE) / RATE
    wave = sum(torch.sin(2 * math.pi * hz * time) for hz in (331.7, 1234.5)) * torch.exp(-2 * time)
    return (level / 2 * wave).repeat(2, 1)


def defective() -> dict[str, torch.Tensor]:
    jumps = torch.randn(2, 44, generator=torch.Generator().manual_seed(0)).repeat_interleave(1024, -1)[:, :RATE]
    clicking = tone()
    clicking[:, 3000::3501] += 0.2
    nan = tone()
    nan[1, 77] = torch.nan
    return {
        "not_finite": nan,
        "silent": torch.zeros(2, RATE),
        "clipped": (5 * tone()).clamp(-1, 1),
        "dc": tone() + 0.05,
        "frame_clicks": tone() + 0.05 * jumps * torch.exp(-2 * torch.arange(RATE) / RATE),
        "clicks": clicking,
        "cancels": tone() * torch.tensor([[1.0], [-1.0]]),
    }


def test_each_defect_is_found_and_a_good_sound_has_none() -> None:
    made = defective()
    verdicts = judge(measure(torch.stack([tone(), *made.values()]), RATE))
    assert [name for name in verdicts if verdicts[name][0]] == []
    for place, name in enumerate(made, start=1):
        found = {other for other in verdicts if verdicts[other][place]} - {"defective"}
        allowed = {name, "clicks", "dc"} if name == "frame_clicks" else {name}  # such jumps are both
        assert name in found
        assert found <= allowed
        assert verdicts["defective"][place]


def test_measures_are_the_definitions() -> None:
    square = torch.sign(torch.sin(2 * math.pi * 100.3 * torch.arange(RATE) / RATE)).repeat(2, 1)
    found = measure(torch.stack([square, 0.5 * square + 0.05, torch.zeros(2, RATE)]), RATE)
    assert found.keys() == UNITS.keys()
    assert found["peak_db"].tolist() == pytest.approx([0, 20 * math.log10(0.55), -200], abs=1e-3)
    assert found["rms_db"][0].item() == pytest.approx(0, abs=0.01)
    assert found["clipped"].tolist() == pytest.approx([1, 0, 0], abs=1e-3)
    assert found["dc"].tolist() == pytest.approx([0, 0.05 / 0.55, 0], abs=4e-3)  # 100.3 turns


@pytest.mark.parametrize("length", [1, 2, 500])
def test_any_length_silence_and_nan_are_measured(length: int) -> None:
    sounds = torch.ones(4, 2, length)
    sounds[1] = 0
    sounds[2, 0, 0] = torch.nan
    sounds[3, 0, 0] = torch.inf
    found = measure(sounds, RATE)
    for name, values in found.items():
        assert values.shape == (4,)
        assert values.dtype == (torch.bool if name in ("silent", "finite") else torch.float32)
        assert not values.isnan().any(), name


def test_real_notes_have_no_defect_but_pads_and_strings_their_dc() -> None:
    if not AUDIO.exists():
        pytest.skip("shared/audio isn't beside this tree")
    for path in sorted((AUDIO / "notes").rglob("*.flac"))[::5]:
        sound, rate = audio.read(path)
        verdicts = judge(measure(torch.from_numpy(sound)[None], rate))
        found = {name for name, verdict in verdicts.items() if verdict} - {"defective"}
        assert found <= ({"dc"} if path.parent.name in ("warm-pad", "strings") else set()), path.name
