# SPDX-License-Identifier: Apache-2.0
"""Short-time transform: the definition, the exact least-squares inverse, gradients, small cases."""

import math

import pytest
import torch

from spect.errors import SoundError
from spect.phase.frames import Frames

EXACT_DB = 120.0  # float32 rounding of a transform, its inverse and one division by a window's sum
LAYOUTS = [
    Frames(256, 64, 128, 8192, first=32),
    Frames(256, 128, 64, 8192, first=64),
    Frames(256, 128, 129, 16384, first=0),
    Frames(2048, 1025, 32, 31 * 1025 + 1, first=0),
    Frames(48, 20, 30, 600, first=10),
]


def snr_db(signal: torch.Tensor, other: torch.Tensor) -> float:
    error = (other.double() - signal.double()).square().sum().clamp_min(1e-60)
    return float(10 * torch.log10(signal.double().square().sum() / error))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("frames", LAYOUTS, ids=str)
def test_inverse_of_a_transform_is_exact(frames: Frames) -> None:
    signal = noise(2, 3, frames.samples)
    assert frames.stft(signal).shape == (2, 3, frames.count, frames.bins)
    assert snr_db(signal, frames.istft(frames.stft(signal))) >= EXACT_DB


def test_transform_is_its_definition() -> None:
    frames = Frames(16, 6, 4, 24, first=3)
    signal = noise(24).double()
    spectrum = frames.stft(signal)
    for t in range(4):
        for k in range(9):
            total = 0j
            for n in range(16):
                place = 3 + 6 * t - 8 + n
                value = float(signal[place]) if 0 <= place < 24 else 0.0
                hann = 0.5 - 0.5 * math.cos(2 * math.pi * n / 16)
                total += hann * value * complex(math.cos(2 * math.pi * k * n / 16), -math.sin(2 * math.pi * k * n / 16))
            assert complex(spectrum[t, k]) == pytest.approx(total, abs=1e-12)


def test_inverse_is_the_least_squares_one() -> None:
    # Of all signals none has a transform nearer to an inconsistent spectrum: the error's gradient is 0 there.
    frames = Frames(16, 4, 8, 32, first=2)
    rng = torch.Generator().manual_seed(1)
    real = torch.randn(2, 8, 9, generator=rng).double()
    real[1, :, [0, -1]] = 0
    spectrum = torch.complex(*real)
    signal = frames.istft(spectrum).requires_grad_()
    # a bin between DC and Nyquist stands for two of the whole transform
    twice = torch.full((9,), 2.0, dtype=torch.float64)
    twice[[0, -1]] = 1
    error = ((frames.stft(signal) - spectrum).abs().square() * twice).sum()
    (gradient,) = torch.autograd.grad(error, signal)
    assert float(gradient.abs().max()) < 1e-10 * float(error.detach())


def test_samples_that_no_frame_covers_are_zero() -> None:
    frames = Frames(16, 8, 2, 64, first=8)
    signal = frames.istft(frames.stft(torch.ones(64)))
    torch.testing.assert_close(signal[1:24], torch.ones(23))
    assert not signal[24:].any()


def test_gradients_agree_with_differences() -> None:
    frames = Frames(8, 3, 5, 16, first=1)
    signal = noise(2, 16).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: torch.view_as_real(frames.stft(x)), signal)
    parts = torch.randn(2, 5, 5, 2, generator=torch.Generator().manual_seed(2)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: frames.istft(torch.view_as_complex(x)), parts)


def test_empty_batches_and_single_signals_pass() -> None:
    frames = LAYOUTS[0]
    assert frames.stft(torch.zeros(0, 2, 8192)).shape == (0, 2, 128, 129)
    assert frames.istft(frames.stft(torch.zeros(0, 2, 8192))).shape == (0, 2, 8192)
    assert frames.istft(frames.stft(torch.ones(8192))).shape == (8192,)


def test_mistakes_name_what_is_allowed() -> None:
    with pytest.raises(SoundError, match="window is even, got 15"):
        Frames(15, 4, 4, 16)
    with pytest.raises(SoundError, match="hop is less than the window"):
        Frames(16, 16, 4, 16)
    with pytest.raises(SoundError, match=r"signals are \[..., 8192\]"):
        LAYOUTS[0].stft(torch.zeros(8191))
    with pytest.raises(SoundError, match="spectra are"):
        LAYOUTS[0].istft(torch.zeros(128, 128, dtype=torch.complex64))


def test_sine_taper_is_hanns_root_and_covers_evenly_at_half_the_window() -> None:
    frames = Frames(16, 8, 6, 48, first=4, taper="sine")
    like = torch.zeros((), dtype=torch.float64)
    torch.testing.assert_close(frames.weight(like).square(), Frames(16, 8, 6, 48).weight(like))
    torch.testing.assert_close(
        frames.weight(like)[:8].square() + frames.weight(like)[8:].square(), torch.ones(8).double()
    )
    signal = noise(48).double()
    torch.testing.assert_close(frames.istft(frames.stft(signal)), signal)
    with pytest.raises(SoundError, match="taper is 'hann' or 'sine'"):
        Frames(16, 8, 6, 48, taper="kaiser")  # type: ignore[arg-type]
