# SPDX-License-Identifier: Apache-2.0
"""Log mel: its bands, its stereo picture, and what comes back of a sound."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spect.audio import read, resample, to_stereo
from spect.errors import SoundError
from spect.mel import Mel
from spect.melbank import centres_hz
from spect.representation import from_dict, trainable, typed_arguments

AUDIO = Path(__file__).parents[3] / "shared" / "audio"
SMALL = Mel.suited(16000, 4096, 32, 32)


def noise(n: int, samples: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 2, samples, generator=torch.Generator().manual_seed(seed)) - 0.5


def sine(form: Mel, hz: float, amplitude: float = 1.0) -> torch.Tensor:
    t = torch.arange(form.samples) / form.sample_rate
    return (amplitude * torch.sin(2 * math.pi * hz * t)).expand(2, -1)


def correlation(sound: torch.Tensor) -> torch.Tensor:
    left, right = sound.double().unbind(-2)
    return (left * right).sum(-1) / (left.square().sum(-1) * right.square().sum(-1)).sqrt()


def width(sound: torch.Tensor) -> torch.Tensor:
    left, right = sound.double().unbind(-2)
    return (left - right).norm(dim=-1) / (left + right).norm(dim=-1)


@pytest.mark.parametrize("band", [5, 20, 29])
def test_a_sine_peaks_in_the_band_of_its_frequency(band: int) -> None:
    canvas = SMALL.encode(sine(SMALL, float(centres_hz(32, 0.0, 8000.0)[band])))
    assert (canvas[:2, :, 8:24].argmax(1) == 31 - band).all()  # row 0 is the highest


def test_a_full_scale_sine_peaks_at_the_power_that_hanns_lobe_has() -> None:
    form = replace(SMALL, window=1024)
    level = form.encode(sine(form, float(centres_hz(32, 0.0, 8000.0)[29])))[0, 2, 8:24]
    # the lobe's bins add up to 1.5 of its peak's power (Harris 1978), 1.76 dB, less the triangle's slope
    assert level.min() > 1.0
    assert level.max() < 1.77


def test_silence_is_the_floor_and_comes_back_as_silence() -> None:
    canvas = SMALL.encode(torch.zeros(2, SMALL.samples))
    torch.testing.assert_close(canvas[:2], torch.full_like(canvas[:2], SMALL.floor_db))
    assert (canvas[2] == 1).all()
    assert not canvas[3].any()
    assert not SMALL.decode(canvas).any()


def test_mono_is_one_and_the_same_picture_twice_and_stays_mono_exactly() -> None:
    sound = (
        noise(3, SMALL.samples).mean(1, keepdim=True).expand(-1, 2, -1) * torch.tensor([1, 0.1, 1e-4])[:, None, None]
    )
    canvas = SMALL.encode(sound)
    assert torch.equal(canvas[:, 0], canvas[:, 1])
    assert (canvas[:, 2] == 1).all()
    assert not canvas[:, 3].any()
    left, right = SMALL.decode(canvas).unbind(1)
    assert torch.equal(left, right)


def test_the_picture_of_one_silent_side_has_no_coherence_and_that_side_stays_silent() -> None:
    sound = noise(1, SMALL.samples)[0] * torch.tensor([[1.0], [0.0]])
    canvas = SMALL.encode(sound)
    assert (canvas[2:].square().sum(0)[:, 4:28] < 1e-4).all()
    assert not SMALL.decode(canvas)[1].any()


def test_a_quarter_turn_between_channels_is_seen_and_comes_back() -> None:
    form = Mel.suited(16000, 16000, 64, 64)
    t = torch.arange(form.samples) / 16000
    sound = torch.stack([torch.sin(2 * math.pi * 1000 * t), torch.cos(2 * math.pi * 1000 * t)])
    canvas = form.encode(sound)
    row = int(canvas[0, :, 32].argmax())
    torch.testing.assert_close(canvas[2:, row, 32], torch.tensor([0.0, -1.0]), atol=1e-3, rtol=0)  # left is late
    back = form.decode(canvas)[:, 2000:-2000]
    angle = torch.angle(torch.fft.rfft(back)[:, round(1000 * back.shape[1] / 16000)])
    assert abs(math.remainder(float(angle[0] - angle[1]) + math.pi / 2, 2 * math.pi)) < 0.05


def test_coherence_is_at_most_one_and_small_for_channels_that_have_nothing_in_common() -> None:
    form = Mel.suited(16000, 16384, 16, 64)
    size = form.encode(noise(4, form.samples))[:, 2:].square().sum(1).sqrt()
    assert size.max() <= 1 + 1e-6
    assert size[:, 0].mean() < 0.35  # 24 independent bins in the widest band: about 1 / sqrt(24)


def test_unrelated_channels_come_back_unrelated_and_related_ones_related() -> None:
    form = Mel.suited(16000, 16384, 64, 64)
    apart = noise(2, form.samples)
    near = torch.stack([apart[:, 0], 0.8 * apart[:, 0] + 0.6 * apart[:, 1]], dim=1)
    both = torch.cat([apart, near])
    assert (correlation(form.decode(form.encode(both))) - correlation(both)).abs().max() < 0.12


@pytest.mark.skipif(not AUDIO.exists(), reason="needs ../shared/audio")
def test_real_stereo_notes_keep_correlation_width_and_bands() -> None:
    form = Mel.suited(22050, 16384, 64, 128, iterations=16)
    files = sorted((AUDIO / "notes").glob("*/*.flac"))[::20]
    sounds = []
    for file in files:
        given, rate = read(file)
        cut = to_stereo(resample(given, rate, 22050))[:, : form.samples]
        sounds.append(torch.from_numpy(np.pad(cut, ((0, 0), (0, form.samples - cut.shape[1])))))
    sound = torch.stack(sounds)
    canvas = form.encode(sound)
    back = form.decode(canvas)
    assert (correlation(back) - correlation(sound)).abs().mean() < 0.03
    assert (width(back) - width(sound)).abs().mean() < 0.03
    error = form.encode(back)[:, :2].clamp_min(-60) - canvas[:, :2].clamp_min(-60)
    assert error.square().mean().sqrt() < 1.2  # dB; every band above -60 dB, of both channels


@pytest.mark.parametrize("channels", [1, 4])
def test_the_loud_bands_of_a_chord_return_within_a_decibel(channels: int) -> None:
    form = replace(Mel.suited(16000, 16000, 64, 64), channels=channels)
    sound = (sine(form, 220, 0.3) + sine(form, 550, 0.2) + sine(form, 1760, 0.1)) * torch.tensor([[1.0], [0.5]])
    canvas = form.encode(sound)[: 1 + channels // 4, :, 2:-2]
    back = form.encode(form.decode(form.encode(sound)))[: 1 + channels // 4, :, 2:-2]
    loud = canvas > canvas.amax() - 25
    assert loud.any(1).all()  # in every column
    assert (back - canvas)[loud].square().mean().sqrt() < 1.0


@pytest.mark.parametrize(
    ("form", "seconds"),
    [
        (Mel(16000, rows=128, frames=128, window=512, hop=125, first=62, samples=16000, channels=1, fmax=8000.0), 1.0),
        (
            Mel(22050, rows=256, frames=256, window=2048, hop=345, first=112, samples=88200, channels=1, fmax=11025.0),
            4.0,
        ),
    ],
    ids=["002", "004"],
)
def test_the_seeds_sizes_come_from_parameters(form: Mel, seconds: float) -> None:
    assert form.samples == seconds * form.sample_rate
    sound = noise(1, form.samples)
    canvas = form.encode(sound)
    assert canvas.shape == (1, *form.shape)
    assert form.shape[1] == form.shape[2]
    assert (canvas > -80).all()  # no row and no column lies outside the sound
    back = replace(form, iterations=2).decode(canvas)
    assert back.shape == sound.shape
    assert torch.equal(back[:, 0], back[:, 1])


def test_the_seeds_sizes_are_what_suits_their_sounds() -> None:
    digits = Mel.suited(16000, 16000, 128, 128, channels=1)
    assert digits == Mel(16000, 128, 128, 512, 125, 62, 16000, channels=1, fmax=8000.0)
    town = Mel.suited(22050, 88200, 256, 256, channels=1)
    assert town == Mel(22050, 256, 256, 2048, 345, 112, 88200, channels=1, fmax=11025.0)


@pytest.mark.parametrize(
    ("rate", "samples", "rows", "frames"),
    [
        (22050, 8192, 64, 64),
        (44100, 524288, 512, 512),
        (44100, 8190, 45, 91),
        (16000, 64000, 160, 200),
        (8000, 997, 16, 31),
    ],
)
def test_it_fits_any_archive_with_a_shape_that_networks_learn(rate: int, samples: int, rows: int, frames: int) -> None:
    form = Mel.suited(rate, samples, rows, frames)
    assert trainable(*form.shape[1:])
    assert form.channels == 4
    assert abs(math.log2(form.rows / rows)) <= 1
    assert form.samples == samples
    assert form.window >= 4 * form.hop
    assert form.layout._pads[1] > -form.hop  # the last column reaches the end


def test_what_is_given_stands() -> None:
    texts = {"channels": "1", "rows": "32", "hop": "100", "scale": "slaney", "inverse": "pghi", "fmin": "40"}
    form = Mel.suited(22050, 8192, 64, 64, **typed_arguments(Mel, texts))
    assert (form.channels, form.rows, form.hop, form.scale, form.inverse, form.fmin) == (
        1,
        32,
        100,
        "slaney",
        "pghi",
        40,
    )
    assert form.frames == 64  # 32 x 64 is nearest to 82 columns
    assert form.samples == 6400
    assert from_dict(json.loads(json.dumps(form.to_dict()))) == form


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"hop": 4096}, "no picture that networks learn fits 8192 samples with hop=4096"),
        ({"samples": 99999}, "99999 samples are asked for, the sounds have 8192"),
        ({"fmax": 12000.0}, "between 0 and half the sample rate"),
        ({"floor_db": 3.0}, "floor_db lies from -200 to 0"),
        ({"channels": 2}, "channels is 1 or 4, got 2"),
        ({"window": 100, "hop": 128}, "hop is less than the window"),
        ({"inverse": "magic"}, "inverse is one of"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments: dict, told: str) -> None:
    with pytest.raises(SoundError, match=told) as refused:
        Mel.suited(22050, 8192, 64, 64, **arguments)
    assert "\n" not in str(refused.value)


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(SoundError, match=r"sounds are \[..., 2, 4096\]"):
        SMALL.encode(torch.zeros(2, 4095))
    with pytest.raises(SoundError, match=r"canvases are \[..., 4, 32, 32\]"):
        SMALL.decode(torch.zeros(1, 32, 32))


def test_a_sound_is_the_same_in_any_batch_and_follows_its_seed() -> None:
    form = replace(SMALL, iterations=4)
    canvas = form.encode(noise(3, form.samples))
    together = form.decode(canvas, seeds=[5, 6, 7])
    torch.testing.assert_close(form.decode(canvas[1:2], seeds=[6])[0], together[1], atol=1e-5, rtol=0)
    assert not torch.allclose(form.decode(canvas[1:2], seeds=[8])[0], together[1], atol=1e-3)
    assert torch.equal(form.decode(canvas), form.decode(canvas, seeds=[0, 0, 0]))


def test_batches_may_be_empty_or_of_several_axes() -> None:
    assert SMALL.encode(torch.zeros(0, 2, 4096)).shape == (0, 4, 32, 32)
    assert SMALL.decode(torch.zeros(0, 4, 32, 32)).shape == (0, 2, 4096)
    canvas = SMALL.encode(noise(2, 4096)[:, None])
    assert canvas.shape == (2, 1, 4, 32, 32)
    assert replace(SMALL, iterations=1).decode(canvas).shape == (2, 1, 2, 4096)


def test_gradients_of_encode_are_right_and_those_of_decode_finite() -> None:
    form = Mel(8000, 8, 4, 16, 4, 2, 16, fmax=4000.0, iterations=1)
    sound = noise(1, 16).double().requires_grad_()
    assert torch.autograd.gradcheck(form.encode, (sound,))
    canvas = form.encode(noise(1, 16) * torch.linspace(0, 1, 16).gt(0.6)).requires_grad_()  # starts with silence
    form.decode(canvas).square().sum().backward()
    assert torch.isfinite(canvas.grad).all()
    assert canvas.grad.abs().max() > 0


def test_its_preview_shows_left_and_right_in_their_colours() -> None:
    shown = SMALL.preview(SMALL.encode(noise(1, 4096) * torch.tensor([[1.0], [0.0]])))
    assert shown.shape == (1, 32, 32, 3)
    assert shown.dtype == torch.uint8
    assert shown[..., 0].float().mean() > 2 * shown[..., 2].float().mean()
