# SPDX-License-Identifier: Apache-2.0
"""Each transform of a canvas is, after decoding, the operation on the sound that its name says."""

import math

import numpy as np
import pytest
import torch

from patches.augment.level import Gain, Polarity, change_gain, change_polarity
from patches.augment.phase import Phase, rotate_phase
from patches.augment.shift import Shift, shift_columns
from patches.augment.stereo import Pan, Swap, Width, change_width, rotate_pan
from spect.cmyk import Cmyk

CMYK = Cmyk(sample_rate=8000, rows=16, frames=8)
WINDOW = 32
HEARD_DB = 110.0  # agreement of the two ways in float32, far below 16 bits


@pytest.fixture
def sound() -> torch.Tensor:
    """Two stereo noises with DC, louder on the left. Shape: [2, 2, 256]."""
    noise = torch.rand(2, 2, CMYK.samples, generator=torch.Generator().manual_seed(0)) - 0.4
    return noise * torch.tensor([1.0, 0.3])[:, None]


def agree(canvas: torch.Tensor, expected: torch.Tensor) -> None:
    got = CMYK.decode(canvas)
    for wanted, heard in zip(expected, got, strict=True):
        error = (wanted - heard).square().sum()
        assert 10 * torch.log10(wanted.square().sum() / error.clamp_min(1e-30)) >= HEARD_DB


def test_polarity_turns_the_sound_over(sound):
    agree(change_polarity(CMYK.encode(sound), torch.tensor([-1.0, 1.0])), torch.stack([-sound[0], sound[1]]))


def test_minus_6_db_on_the_canvas_is_minus_6_db_in_the_wav(sound):
    heard = CMYK.decode(change_gain(CMYK.encode(sound), torch.tensor([-6.0, 3.0])))
    level_db = 20 * torch.log10(heard.square().mean((1, 2)).sqrt() / sound.square().mean((1, 2)).sqrt())
    torch.testing.assert_close(level_db, torch.tensor([-6.0, 3.0]), atol=1e-4, rtol=0)
    agree(
        change_gain(CMYK.encode(sound), torch.tensor([-6.0, 3.0])),
        sound * torch.tensor([0.501187, 1.412538])[:, None, None],
    )


def test_width_scales_what_the_channels_differ_by(sound):
    left, right = sound.unbind(1)
    narrow = change_width(CMYK.encode(sound), torch.tensor([0.5, 0.0]))
    side = torch.tensor([0.5, 0.0])[:, None] * (left - right) / 2
    agree(narrow, torch.stack([(left + right) / 2 + side, (left + right) / 2 - side], 1))


def test_swap_exchanges_left_and_right(sound):
    agree(change_width(CMYK.encode(sound), torch.tensor([-1.0, 1.0])), torch.stack([sound[0].flip(0), sound[1]]))


def test_pan_turns_a_centred_sound_to_the_left_and_keeps_its_power(sound):
    mono = sound[:, :1].expand(-1, 2, -1)
    heard = CMYK.decode(rotate_pan(CMYK.encode(mono), torch.tensor([45.0, -45.0])))
    assert heard[0, 1].abs().max() < 1e-6  # nothing on the right
    assert heard[1, 0].abs().max() < 1e-6
    torch.testing.assert_close(heard[0, 0], math.sqrt(2) * mono[0, 0], rtol=1e-5, atol=1e-6)
    turned = CMYK.decode(rotate_pan(CMYK.encode(sound), torch.tensor([17.0, 160.0])))
    torch.testing.assert_close(turned.square().sum((1, 2)), sound.square().sum((1, 2)))


def test_pan_is_the_rotation_of_mid_and_side(sound):
    angle = math.radians(20)
    mid, side = (sound[:, 0] + sound[:, 1]) / 2, (sound[:, 0] - sound[:, 1]) / 2
    new_mid, new_side = (
        math.cos(angle) * mid - math.sin(angle) * side,
        math.sin(angle) * mid + math.cos(angle) * side,
    )
    expected = torch.stack([new_mid + new_side, new_mid - new_side], 1)
    agree(rotate_pan(CMYK.encode(sound), torch.full((2,), 20.0)), expected)


@pytest.mark.parametrize("columns", [3, -2, 0, 7, -8, 11])
def test_a_shift_by_k_columns_is_k_windows_filled_with_silence(sound, columns):
    heard = CMYK.decode(shift_columns(CMYK.encode(sound), torch.tensor([float(columns), 0.0])))
    expected = torch.zeros_like(sound[0])
    samples = columns * WINDOW
    if samples >= 0:
        expected[:, samples:] = sound[0][:, : max(CMYK.samples - samples, 0)]
    else:
        expected[:, : max(CMYK.samples + samples, 0)] = sound[0][:, -samples:]
    torch.testing.assert_close(heard[0], expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(heard[1], sound[1], rtol=0, atol=1e-6)


def test_a_phase_rotation_turns_every_frequency_of_a_frame_and_leaves_dc_and_nyquist(sound):
    angle = 0.7
    heard = CMYK.decode(rotate_phase(CMYK.encode(sound), torch.full((2,), angle))).numpy()
    spectra = np.fft.rfft(sound.numpy().reshape(2, 2, 8, WINDOW))
    spectra[..., 1:-1] *= np.exp(1j * angle)
    expected = np.fft.irfft(spectra, n=WINDOW).reshape(2, 2, -1)
    assert np.abs(heard - expected).max() < 1e-6


def test_a_phase_rotation_by_pi_is_polarity_except_for_dc_and_nyquist(sound):
    canvas = CMYK.encode(sound)
    turned = rotate_phase(canvas, torch.full((2,), math.pi))
    torch.testing.assert_close(turned[:, :, 1:], -canvas[:, :, 1:], rtol=1e-5, atol=1e-5)
    assert turned[:, :, 0].equal(canvas[:, :, 0])


ALL = [Polarity(), Gain(), Width(), Swap(), Pan(), Shift(), Phase()]


@pytest.mark.parametrize("transform", ALL, ids=lambda t: t.name)
def test_the_identity_parameter_changes_nothing(transform, sound):
    canvas = CMYK.encode(sound)
    torch.testing.assert_close(transform(canvas, torch.full((2,), transform.identity)), canvas, rtol=0, atol=0)


@pytest.mark.parametrize("transform", ALL, ids=lambda t: t.name)
def test_items_of_a_batch_do_not_hear_of_each_other(transform, sound):
    canvas = CMYK.encode(sound)
    values = transform.draw(torch.tensor([0.1, 0.9]), CMYK.shape)
    both = transform(canvas, values)
    for index in range(2):
        torch.testing.assert_close(both[index], transform(canvas[index : index + 1], values[index : index + 1])[0])


@pytest.mark.parametrize("transform", ALL, ids=lambda t: t.name)
def test_gradients_are_right(transform, sound):
    canvas = CMYK.encode(sound.double())[:, :, :4, :3].contiguous().requires_grad_()
    values = transform.draw(torch.tensor([0.2, 0.8], dtype=torch.float64), (4, 4, 3))
    assert torch.autograd.gradcheck(lambda c: transform(c, values), canvas)


def test_draws_stay_in_their_named_ranges_and_fill_them():
    uniform = torch.rand(4000, generator=torch.Generator().manual_seed(1))
    uniform[:2] = torch.tensor([0.0, 1 - 2**-24])
    ranges = {"gain": (-6, 6), "width": (0.5, 2), "pan": (-30, 30), "shift": (-8, 8), "phase": (-math.pi, math.pi)}
    for transform in ALL:
        values = transform.draw(uniform, (4, 16, 64))
        if transform.name in ("polarity", "swap"):
            assert set(values.tolist()) == {-1.0, 1.0}
            assert abs(values.mean()) < 0.06
            continue
        low, high = ranges[transform.name]
        assert low - 1e-5 <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high + 1e-5


def test_shifts_are_whole_columns_each_equally_likely():
    uniform = torch.rand(17000, generator=torch.Generator().manual_seed(2))
    values, counts = Shift().draw(uniform, (4, 16, 64)).unique(return_counts=True)
    assert values.tolist() == list(range(-8, 9))
    assert counts.min() > 850
    assert Shift().draw(uniform, (4, 16, 4)).unique().tolist() == [0.0]  # too short to shift by an eighth
