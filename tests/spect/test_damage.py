# SPDX-License-Identifier: Apache-2.0
"""Each damage does what it says, to the decibel, and nothing else; each gets stronger along its levels."""

import math

import pytest
import torch

from spect.damage import DAMAGES, EDGE_HOP, griffin_lim, low_pass, pitch_shift, smear, white_noise, width
from spect.errors import SoundError
from spect.measures import frame_clicks, log_spectral_distance, stereo_image, times_ms

RATE = 44100


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def tone(hz: float, rate: int = RATE) -> torch.Tensor:
    return (0.5 * torch.sin(2 * math.pi * hz * torch.arange(rate) / rate))[None, None]


def hits() -> torch.Tensor:
    """Return two decaying, bright, stereo sounds that begin after 50 ms. Shape: [2, 2, L]."""
    noise = torch.randn(2, 2, 30000, generator=torch.Generator().manual_seed(1))
    noise[:, 1] += noise[:, 0]
    decay = torch.exp(-torch.arange(30000) / torch.tensor([2000.0, 6000.0])[:, None, None])
    sounds = torch.nn.functional.pad(noise * decay, (2205, 0))
    return 0.5 * sounds / sounds.abs().amax((1, 2), keepdim=True)


def level_db(sounds: torch.Tensor) -> torch.Tensor:
    return 10 * torch.log10(sounds.double().square().mean((1, 2)))


@pytest.mark.parametrize("name", DAMAGES)
def test_damages_are_pure_repeatable_and_keep_the_shape(name: str) -> None:
    damage, sounds = DAMAGES[name], hits()
    for given in (sounds, sounds[:, :1], torch.zeros_like(sounds), sounds[:, :, :100], sounds[:, :, 2300:2301]):
        before = given.clone()
        first, again = (damage.apply(given, RATE, damage.levels[-1], generator()) for _ in range(2))
        assert torch.equal(given, before)
        assert torch.equal(first, again)
        assert first.shape == given.shape
        assert first.dtype == torch.float32
        assert torch.isfinite(first).all()


@pytest.mark.parametrize("name", sorted(DAMAGES.keys() - {"pitch"}))  # its cents are measured below
def test_levels_go_from_mild_to_strong(name: str) -> None:
    damage, sounds = DAMAGES[name], hits()[:1]
    damaged = [damage.apply(sounds, RATE, level, generator()) for level in damage.levels]
    if name in ("griffin-lim", "smear"):  # another wave altogether, by the sample: compare magnitudes
        found = [log_spectral_distance(sounds, one).item() for one in damaged]
    else:
        found = [(one - sounds).norm().item() for one in damaged]
    assert found == sorted(found)
    assert 0 < found[0] < found[-1]


def test_white_noise_lies_at_its_distance_below_each_sound() -> None:
    sounds = hits() * torch.tensor([1.0, 0.1])[:, None, None]
    noise = white_noise(sounds, 30, generator()) - sounds
    torch.testing.assert_close(level_db(sounds) - level_db(noise), torch.full((2,), 30.0).double(), atol=0.2, rtol=0)
    spectrum = torch.fft.rfft(noise[0, 0]).abs().square()
    lower, upper = spectrum.tensor_split(2)
    assert (lower.mean() / upper.mean()).item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("rate", [22050, 44100])
def test_low_pass_takes_away_above_and_nothing_below(rate: int) -> None:
    inside = slice(rate // 4, -rate // 4)
    below, above = (low_pass(tone(hz, rate), rate, 4000)[..., inside] for hz in (3900.0, 4800.0))
    untouched = tone(3900.0, rate)[..., inside]
    assert level_db(above).item() - level_db(untouched).item() < -40
    assert level_db(below).item() - level_db(untouched).item() == pytest.approx(0, abs=0.1)
    assert level_db(below - untouched).item() - level_db(untouched).item() < -40  # no phase moved either
    with pytest.raises(SoundError, match="positive"):
        low_pass(tone(100), rate, 0)


def test_low_pass_does_not_carry_the_end_to_the_beginning() -> None:
    sound = torch.zeros(1, 1, RATE)
    sound[..., -2000:] = 0.5
    assert low_pass(sound, RATE, 1000)[..., : RATE // 2].abs().max() < 1e-4


def test_griffin_lim_keeps_magnitudes_loses_phases_and_leaves_mono_mono() -> None:
    sounds = hits()
    found = griffin_lim(sounds, RATE, 30, generator())
    assert ((found - sounds).norm() / sounds.norm()) > 0.5
    assert log_spectral_distance(sounds, found).max() < 6
    mono = griffin_lim(sounds[:, :1].expand(-1, 2, -1), RATE, 3, generator())
    torch.testing.assert_close(mono[:, 0], mono[:, 1])


def test_griffin_lim_in_parts_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = griffin_lim(hits(), RATE, 2, generator())
    monkeypatch.setattr("spect.damage.BATCH_SAMPLES", 1)
    torch.testing.assert_close(griffin_lim(hits(), RATE, 2, generator()), whole, rtol=0, atol=1e-5)


def test_clipping_lies_at_full_scale_and_dc_is_a_share_of_the_peak() -> None:
    sounds = hits()
    driven = DAMAGES["clip"].apply(sounds, RATE, 12, generator())
    torch.testing.assert_close(driven, (sounds * 10**0.6).clamp(-1, 1))
    assert (driven.abs() == 1).any()
    moved = DAMAGES["dc"].apply(sounds, RATE, 0.1, generator()) - sounds
    torch.testing.assert_close(moved, torch.full_like(moved, 0.05))


def test_frame_jumps_are_at_frames_only_and_heard_as_frame_clicks() -> None:
    time = torch.arange(RATE) / RATE
    sound = (0.2 * torch.sin(2 * math.pi * 333 * time))[None, None]
    damaged = DAMAGES["frame-jumps"].apply(sound, RATE, 0.3, generator())
    steps = (damaged - sound).diff().abs()[0, 0]
    jumps = torch.nonzero(steps > 1e-5)[:, 0] + 1
    assert (jumps % EDGE_HOP == 0).all()
    assert len(jumps) == RATE // EDGE_HOP
    assert frame_clicks(damaged).item() > 5 > frame_clicks(sound).item()


def test_a_smeared_onset_rises_slowly_and_the_spectrum_stays() -> None:
    sounds = torch.nn.functional.pad(hits(), (0, RATE))
    found = smear(sounds, RATE, 100, generator())
    attack = [times_ms(x, RATE)["attack_ms"] for x in (sounds, found)]
    assert (attack[1] > attack[0] + 15).all()
    # An all-pass: the energy of every part of the spectrum is what it was.
    before, after = (torch.fft.rfft(x).abs().square().unfold(-1, 2000, 2000).sum(-1) for x in (sounds, found))
    assert (10 * torch.log10(after / before)).abs().max() < 1


def test_width_scales_the_side_and_leaves_the_mid() -> None:
    sounds = hits()
    for factor in (0.0, 0.5, 4.0):
        found = width(sounds, factor)
        torch.testing.assert_close(found.mean(1), sounds.mean(1))
        torch.testing.assert_close(found[:, 0] - found[:, 1], factor * (sounds[:, 0] - sounds[:, 1]))
    assert (stereo_image(width(sounds, 0.0))["width"] < 1e-6).all()
    torch.testing.assert_close(width(sounds[:, :1], 8.0), sounds[:, :1])


@pytest.mark.parametrize("cents", [-1200.0, 37.0, 700.0])
def test_pitch_shift_moves_a_tone_by_so_many_cents_at_its_level(cents: float) -> None:
    hz = 1000.0
    found = pitch_shift(tone(hz), RATE, cents)[..., 2000:20000]
    wanted = tone(hz * 2 ** (cents / 1200))[..., 2000:20000]
    spectrum = torch.fft.rfft(found[0, 0] * torch.hann_window(18000), n=2**20).abs()
    heard = float(spectrum.argmax()) * RATE / 2**20
    assert 1200 * math.log2(heard / hz) == pytest.approx(cents, abs=1)
    assert level_db(found).item() == pytest.approx(level_db(wanted).item(), abs=0.1)


def test_a_faster_sound_ends_earlier_in_silence() -> None:
    found = pitch_shift(tone(1000), RATE, 1200)
    assert found[..., : RATE // 2].abs().max() > 0.4
    assert found[..., RATE // 2 + 500 :].abs().max() < 0.01
