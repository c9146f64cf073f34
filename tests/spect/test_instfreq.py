# SPDX-License-Identifier: Apache-2.0
"""Instantaneous frequency: GANSynth's pictures, what comes back of tones and noise, and our own variant beside it."""

import json
import math
from dataclasses import replace

import pytest
import torch

from spect.errors import SoundError
from spect.instfreq import Instfreq
from spect.representation import from_dict, trainable, typed_arguments

GANSYNTH = Instfreq()
OURS = Instfreq.suited(16000, 8192, 64, 64)


def noise(n: int, samples: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 2, samples, generator=torch.Generator().manual_seed(seed)) - 0.5


def tone(hz: float, form: Instfreq, *, soft: bool = True) -> torch.Tensor:
    t = torch.arange(form.samples, dtype=torch.float64)
    wave = 0.5 * torch.sin(2 * math.pi * hz * t / form.sample_rate)
    return (wave * torch.sin(math.pi * t / form.samples) ** soft).float().expand(2, -1)


def snr_db(sound: torch.Tensor, back: torch.Tensor) -> float:
    error = (sound.double() - back.double()).square().sum().clamp_min(1e-30)
    return float(10 * torch.log10(sound.double().square().sum() / error))


def test_gansynths_picture_is_1024_by_128_of_4_seconds_at_16_khz() -> None:
    assert GANSYNTH.shape == (2, 1024, 128)
    assert (GANSYNTH.sample_rate, GANSYNTH.samples) == (16000, 64000)
    assert (GANSYNTH.layout.window, GANSYNTH.layout.hop) == (2048, 512)


def test_gansynths_picture_is_its_definition() -> None:
    sound = noise(1, 64000)[0]
    spectrum = torch.stft(
        sound.mean(0).double(), 2048, 512, window=torch.hann_window(2048).double(), pad_mode="constant",
        return_complex=True,
    )[1:]  # fmt: skip
    canvas = replace(GANSYNTH, floor_db=-160.0).encode(sound).flip(1).double()
    assert spectrum.shape[1] == 126  # two more columns past the end: one in reach of the sound, one not
    torch.testing.assert_close(canvas[0, :, :126], 20 * torch.log10(spectrum.abs() / 512), atol=0.02, rtol=0)
    phase = spectrum.angle()
    step = torch.diff(phase, dim=1)
    published = torch.cat([phase[:, :1], torch.remainder(step + math.pi, 2 * math.pi) - math.pi], dim=1) / math.pi
    apart = (torch.remainder(canvas[1, :, :126] - published + 1, 2) - 1).abs()  # -1 and 1 are one angle
    assert apart.mean() < 1e-5
    assert (apart < 1e-2).double().mean() > 0.9999  # but for bins near the rounding's own level
    assert canvas[1].abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("hz", [65.4, 261.63, 1000.0, 3520.0])
def test_a_tone_comes_back_at_70_db(hz: float) -> None:
    sound = tone(hz, GANSYNTH)
    assert snr_db(sound, GANSYNTH.decode(GANSYNTH.encode(sound))) >= 70


def test_noise_comes_back_without_dc_at_35_db_and_packed_at_100() -> None:
    sound = noise(1, 64000).mean(1, keepdim=True).expand(-1, 2, -1)
    assert 35 < snr_db(sound, GANSYNTH.decode(GANSYNTH.encode(sound))) < 45
    packed = replace(GANSYNTH, dc="packed", relative=True, floor_db=-120.0)
    assert snr_db(sound, packed.decode(packed.encode(sound))) >= 100


def test_mid_and_side_packed_bring_any_stereo_sound_back() -> None:
    constant = torch.tensor([[0.5], [-0.25]]).expand(2, OURS.samples)
    nyquist = torch.tensor([1.0, -1.0]).repeat(OURS.samples // 2).expand(2, -1) * 0.5
    for sound in (
        noise(1, OURS.samples)[0],
        constant,
        nyquist,
        tone(33.0, OURS, soft=False) * torch.tensor([[1], [0]]),
    ):
        assert snr_db(sound, OURS.decode(OURS.encode(sound))) >= 85


def test_mel_loses_most_of_a_tone_and_all_of_noise() -> None:
    mel = replace(GANSYNTH, mel=True)
    back = [snr_db(x, mel.decode(mel.encode(x))) for x in (tone(440.0, mel), tone(1000.0, mel), noise(1, 64000)[0])]
    assert 20 < back[0] < 30
    assert 3 < back[1] < 12
    assert back[2] < 1


def test_a_tones_relative_turns_are_how_far_it_lies_from_the_bin() -> None:
    form = replace(GANSYNTH, relative=True)
    bin_hz = 16000 / 2048
    turns = form.encode(tone(100.25 * bin_hz, form))[1].flip(0)[:, 40:80]  # row i holds bin i + 1
    for bin_ in (99, 100, 101, 102):
        # 2 pi hop / W (100.25 - bin) over pi: a quarter window a frame
        torch.testing.assert_close(turns[bin_ - 1], torch.full((40,), (100.25 - bin_) / 2), atol=2e-3, rtol=0)
    published = GANSYNTH.encode(tone(100.25 * bin_hz, GANSYNTH))[1].flip(0)[:, 40:80]
    torch.testing.assert_close(published[98:102], torch.full((4, 40), 0.125), atol=2e-3, rtol=0)


def test_an_attack_in_the_middle_of_every_fourth_frame_has_one_phase() -> None:
    click = torch.zeros(2, OURS.samples)
    click[:, OURS.first + 8 * OURS.hop] = 1.0
    turns = OURS.encode(click)[1].flip(0)
    assert (turns[:, :7] == 0).all()  # columns that the click doesn't reach
    torch.testing.assert_close(torch.cos(math.pi * turns[1:, :9].sum(1)), torch.ones(127), atol=1e-3, rtol=0)


def test_mono_stays_mono_and_silence_silent() -> None:
    mono = noise(2, OURS.samples)[:, :1].expand(-1, 2, -1)
    canvas = OURS.encode(mono)
    torch.testing.assert_close(canvas[:, 2], torch.full_like(canvas[:, 2], OURS.floor_db))
    assert not canvas[:, 3].any()
    left, right = OURS.decode(canvas).unbind(1)
    assert torch.equal(left, right)
    silence = OURS.encode(torch.zeros(2, OURS.samples))
    assert not silence[1::2].any()
    assert not OURS.decode(silence).any()


def test_what_is_quieter_than_the_floor_does_not_turn() -> None:
    burst = noise(1, OURS.samples)[0] * (torch.arange(OURS.samples) // 1024 == 3) + 1e-8 * noise(1, OURS.samples)[0]
    canvas = OURS.encode(burst)
    quiet = canvas[0] < OURS.floor_db + 1
    assert quiet.double().mean() > 0.5
    assert (canvas[1][quiet] == 0).all()
    assert snr_db(burst, OURS.decode(canvas)) > 85


def test_two_channels_are_the_mid_alone() -> None:
    form = replace(OURS, channels=2)
    sound = noise(1, OURS.samples)[0]
    torch.testing.assert_close(form.encode(sound), OURS.encode(sound)[:2])
    back = form.decode(form.encode(sound))
    assert torch.equal(back[0], back[1])
    assert snr_db(sound.mean(0), back[0]) >= 85


@pytest.mark.parametrize(
    ("rate", "samples", "rows", "frames"), [(22050, 8192, 64, 64), (44100, 8190, 45, 91), (16000, 64000, 160, 200)]
)
def test_it_fits_any_archive_with_a_shape_that_networks_learn(rate: int, samples: int, rows: int, frames: int) -> None:
    form = Instfreq.suited(rate, samples, rows, frames)
    assert trainable(*form.shape[1:])
    assert (form.channels, form.dc, form.relative, form.samples) == (4, "packed", True, samples)
    sound = noise(1, samples)
    assert snr_db(sound, form.decode(form.encode(sound))) >= 85


def test_gansynths_picture_can_be_asked_for() -> None:
    texts = {"window": "2048", "frames": "128", "hop": "512", "first": "0", "samples": "64000", "channels": "2",
             "dc": "dropped", "relative": "false", "floor_db": "-120"}  # fmt: skip
    chosen = Instfreq.suited(16000, 64000, 160, 200, **typed_arguments(Instfreq, texts))
    assert chosen == GANSYNTH
    assert from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rows": 100}, r"rows is half the window \(2048 // 2 = 1024\), got 100"),
        ({"channels": 1}, "channels is 2 or 4, got 1"),
        ({"mel": True, "relative": True}, "relative has no meaning with mel"),
        ({"floor_db": 0.0}, "floor_db lies from -200 to 0"),
        ({"hop": 2048}, "hop is less than the window"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(given: dict, told: str) -> None:
    with pytest.raises(SoundError, match=told):
        replace(GANSYNTH, **given)


def test_wrong_shapes_are_refused_and_empty_batches_go_through() -> None:
    with pytest.raises(SoundError, match=r"sounds are \[..., 2, 8192\]"):
        OURS.encode(torch.zeros(2, 8191))
    with pytest.raises(SoundError, match=r"canvases are \[..., 4, 128, 128\]"):
        OURS.decode(torch.zeros(2, 128, 128))
    assert OURS.encode(torch.zeros(0, 2, 8192)).shape == (0, 4, 128, 128)
    assert OURS.decode(torch.zeros(0, 4, 128, 128)).shape == (0, 2, 8192)


def test_a_sound_is_the_same_in_any_batch() -> None:
    sound = noise(3, OURS.samples)
    canvas = OURS.encode(sound)
    torch.testing.assert_close(OURS.encode(sound[1:2])[0], canvas[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(OURS.decode(canvas[1:2])[0], OURS.decode(canvas)[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "given", [{}, {"relative": False, "dc": "dropped", "channels": 2}, {"mel": True, "relative": False}]
)
def test_gradients_both_ways_are_right(given: dict) -> None:
    form = Instfreq(8000, 4, 5, 8, 2, 1, 10, 4, "packed", True)
    form = replace(form, **given)
    sound = noise(1, 10)[0].double().requires_grad_()
    # in a loss: the turns jump by 2 where a phase comes round, and the loss doesn't
    assert torch.autograd.gradcheck(
        lambda x: torch.cat([(form.encode(x)[0::2]), (math.pi * form.encode(x)[1::2]).cos()]), sound
    )
    canvas = form.encode(sound.detach()).requires_grad_()
    assert torch.autograd.gradcheck(form.decode, canvas)


def test_its_preview_shows_left_and_right_in_their_colours() -> None:
    shown = OURS.preview(OURS.encode(noise(1, OURS.samples) * torch.tensor([[0.0], [1.0]])))
    assert shown.shape == (1, 128, 128, 3)
    assert shown.dtype == torch.uint8
    assert shown[..., 2].float().mean() > 2 * shown[..., 0].float().mean()
