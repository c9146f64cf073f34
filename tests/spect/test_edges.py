# SPDX-License-Identifier: Apache-2.0
"""Clicks at frames' edges: the measure, and what an error of 1 % does to the lossless picture and to the lapped one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spect.audio import read, to_stereo
from spect.cmyk import Cmyk
from spect.edges import frame_edge
from spect.errors import SoundError
from spect.lapped import Lapped
from spect.stft import Stft

LOOPS = Path(__file__).parents[3] / "shared" / "audio" / "loops"
QUIET = 1.1  # shared facts: real sounds have 1.06 by chance
CLEAR = 2.0
ERROR = 0.01


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_clicks_at_the_frames_stand_out_and_noise_does_not() -> None:
    sound = 0.1 * noise(2, 64 * 1000)
    assert float(frame_edge(sound, 64)) < QUIET
    sound[:, ::64] += 1
    assert float(frame_edge(sound, 64)) > 5
    assert float(frame_edge(sound, 63)) < QUIET, "they lie everywhere in frames of another size"


def test_a_sound_is_measured_alone_or_pooled_and_silence_is_one() -> None:
    sounds = torch.stack([torch.zeros(2, 1000), torch.arange(1000).remainder(8).eq(0).float().expand(2, -1)])
    alone = frame_edge(sounds, 16)
    assert alone.shape == (2,)
    assert alone[0] == 1
    assert alone[1].isfinite()
    assert frame_edge(sounds.flatten(0, 1), 16).ndim == 0
    with pytest.raises(SoundError, match="18 samples at least, got 17"):
        frame_edge(torch.zeros(2, 17), 16)


def tones(samples: int) -> torch.Tensor:
    """Octaves from 40 Hz at 44.1 kHz, each 6 dB below the last, and a little noise. Shape: [2, L]."""
    time = torch.arange(samples).double() / 44100
    octaves = [2.0**-k * torch.sin(2 * torch.pi * 40.3 * 2**k * time + k) for k in range(8)]
    return (torch.stack(octaves).sum(0) + 1e-3 * noise(2, samples).double()).float()


def of_each_value(canvas: torch.Tensor) -> torch.Tensor:
    """Give 1 % of random error, relative to each value."""
    return ERROR * canvas * noise(*canvas.shape, seed=1)


def test_one_percent_of_error_clicks_at_the_frames_of_cmyk_and_not_of_those_that_overlap() -> None:
    views = [
        (Cmyk(rows=64, frames=512), 128),
        (Lapped(rows=64, frames=512), 64),
        (Lapped(rows=64, frames=512, window="kbd"), 64),
        (Stft(rows=64, frames=1024), 64),
    ]
    sound = tones(65536)
    edges = []
    for form, hop in views:
        assert float(frame_edge(sound, hop)) < QUIET
        canvas = form.encode(sound)
        edges.append(float(frame_edge(form.decode(canvas + of_each_value(canvas)), hop)))
    assert edges[0] > CLEAR, edges
    assert max(edges[1:]) < QUIET, edges


def test_an_error_of_one_size_all_over_is_white_noise_in_either() -> None:
    # Both transforms are orthonormal but for a factor: such an error isn't at the frames, it is everywhere.
    for form, hop in ((Cmyk(rows=64, frames=512), 128), (Lapped(rows=64, frames=512), 64)):
        error = form.decode(noise(16, *form.shape))
        assert float(frame_edge(error.flatten(0, 1), hop)) < 1.03


@pytest.mark.parametrize("name", ["loop_drone_g_97", "loop_garzul"])
def test_real_loops_with_one_percent_of_error_click_in_cmyk_alone(name: str) -> None:
    if not LOOPS.exists():
        pytest.skip("shared/audio isn't beside this tree")
    sound = to_stereo(read(LOOPS / f"{name}.flac")[0])
    edges = {}
    for form, hop in ((Cmyk(rows=256, frames=512), 512), (Lapped(rows=256, frames=512), 256)):
        original = torch.zeros(2, form.samples)
        length = min(form.samples, sound.shape[1])
        original[:, :length] = torch.from_numpy(np.ascontiguousarray(sound[:, :length]))
        error = form.decode(of_each_value(form.encode(original)))
        edges[form.name] = float(frame_edge(error, hop))
    assert edges["cmyk"] > CLEAR
    assert edges["lapped"] < 1.2  # of the error alone, where few frames are loud
