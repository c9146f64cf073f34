# SPDX-License-Identifier: Apache-2.0
"""Clicks: an inserted step is found once, where it was; attacks, tones and noise have none."""

import csv
import math
from pathlib import Path

import pytest
import torch

from spect import audio
from spect.errors import SoundError
from spect.measures.clicks import clicks_per_second, frame_clicks
from spect.measures.defects import CLICKS_MOST, FRAME_CLICKS_MOST

RATE = 44100
AUDIO = Path(__file__).parents[4] / "shared" / "audio"


def pad(seconds: float = 1.0, channels: int = 2) -> torch.Tensor:
    """Return a chord of partials up to 2 kHz, peak about .5. Shape: [1, channels, L]."""
    time = torch.arange(round(seconds * RATE)) / RATE
    chord = sum(torch.sin(2 * math.pi * hz * time + hz) / 8 for hz in (220.0, 277.2, 329.6, 880.5, 1987.0))
    return torch.as_tensor(chord)[None, None].repeat(1, channels, 1)


def real(kind: str, step: int) -> list[tuple[torch.Tensor, int]]:
    if not AUDIO.exists():
        pytest.skip("shared/audio isn't beside this tree")
    with open(AUDIO / "index.csv", newline="") as file:
        paths = [AUDIO / row["file"] for row in csv.DictReader(file) if row["file"].startswith(kind)]
    found = [audio.read(path) for path in paths[::step]]
    return [(torch.from_numpy(sound)[None], rate) for sound, rate in found]


def test_a_step_and_a_spike_count_once_each_in_either_channel() -> None:
    step, spike, both = pad(), pad(), pad()
    step[:, 1, 20000:] += 0.1
    spike[:, 0, 30000] += 0.1
    both[:, :, 20000:] -= 0.1
    both[:, 0, 30000] += 0.1
    assert clicks_per_second(torch.cat([pad(), step, spike, both]), RATE).tolist() == [0, 1, 1, 2]


def test_clicks_are_counted_by_the_second_and_whatever_the_level() -> None:
    sound = pad(2.0)
    sound[..., 4000::8000] += 0.1
    assert clicks_per_second(sound, RATE).item() == pytest.approx(11 / 2)
    assert clicks_per_second(0.05 * sound, RATE).item() == pytest.approx(11 / 2)


def test_attacks_noise_tones_and_silence_do_not_click() -> None:
    time = torch.arange(RATE) / RATE
    noise = torch.randn(1, 2, RATE, generator=torch.Generator().manual_seed(0))
    hit = torch.zeros(1, 2, RATE)
    hit[..., 10000:] = noise[..., 10000:] * torch.exp(-time[: RATE - 10000] / 0.05)
    kick = torch.sin(2 * math.pi * 60 * time) * torch.exp(-time / 0.1)
    sounds = torch.cat([0.1 * noise, hit, kick.expand(1, 2, -1), torch.zeros(1, 2, RATE)])
    assert clicks_per_second(sounds, RATE).tolist() == [0] * 4


def test_clicks_are_found_at_either_end_and_sounds_of_any_length_are_taken() -> None:
    sound = pad()
    sound[..., 3:] += 0.2
    sound[..., -3:] += 0.2
    assert clicks_per_second(sound, RATE).item() == 2
    for length in (1, 2, 3, 10, 200):
        assert clicks_per_second(torch.zeros(2, 1, length), RATE).tolist() == [0, 0]
        assert frame_clicks(torch.ones(2, 1, length)).tolist() == [1, 1]


@pytest.mark.parametrize("hop", [256, 1000, 1024])
def test_jumps_at_frames_are_seen_at_their_own_hop_only(hop: int) -> None:
    frames = torch.randn(1, 2, RATE // hop + 1, generator=torch.Generator().manual_seed(2))
    jumps = frames.repeat_interleave(hop, -1)[..., :RATE]
    sound = pad()
    assert frame_clicks(sound, hop).item() < 2
    assert frame_clicks(sound + 0.05 * jumps, hop).item() > FRAME_CLICKS_MOST
    assert frame_clicks((sound + 0.05 * jumps).roll(300, -1), hop).item() > FRAME_CLICKS_MOST
    assert frame_clicks(sound + 0.05 * jumps, hop - 6).item() < 2


def test_stronger_frame_clicks_measure_more() -> None:
    jumps = torch.randn(1, 2, 44, generator=torch.Generator().manual_seed(2)).repeat_interleave(1024, -1)[..., :RATE]
    noise = torch.randn(1, 2, RATE, generator=torch.Generator().manual_seed(3))
    found = [frame_clicks(0.05 * noise + share * jumps).item() for share in (0, 0.1, 0.3, 1.0)]
    assert found == sorted(found)
    assert found[0] < 1.5
    assert found[-1] > FRAME_CLICKS_MOST


def test_jumps_in_the_silence_after_a_hit_are_heard_and_its_last_bits_are_not() -> None:
    decay = torch.exp(-torch.arange(RATE) / 1500)
    hit = torch.randn(1, 2, RATE, generator=torch.Generator().manual_seed(0)) * 0.2 * decay
    coarse = (hit * 32768).round() / 32768
    constants = torch.randn(1, 2, 44, generator=torch.Generator().manual_seed(1)).repeat_interleave(1024, -1)
    assert frame_clicks(coarse).item() < 1.5
    assert frame_clicks(coarse + 0.003 * constants[..., :RATE]).item() > FRAME_CLICKS_MOST


def test_a_hop_of_nothing_is_refused() -> None:
    with pytest.raises(SoundError, match="hop"):
        frame_clicks(pad(), 0)


def test_one_loud_moment_is_no_frame_click() -> None:
    sound = pad()
    sound[..., 20000:20200] += torch.randn(200, generator=torch.Generator().manual_seed(0))
    assert frame_clicks(sound).item() < 2


def test_real_hits_and_notes_stay_below_the_thresholds() -> None:
    for kind, step in (("drums", 4), ("notes", 6)):
        sounds = real(kind, step)
        assert all(frame_clicks(sound).item() <= FRAME_CLICKS_MOST for sound, _ in sounds)
        clicking = sum(clicks_per_second(sound, rate).item() > CLICKS_MOST for sound, rate in sounds)
        assert clicking <= 0.02 * len(sounds)
