# SPDX-License-Identifier: Apache-2.0
"""Griffin-Lim: phase by going to and fro between the given magnitude and the spectra that some sound has.

    c_n = STFT(iSTFT(A e^(i arg t_n))),   t_(n+1) = c_n + momentum (c_n - c_(n-1))

Griffin and Lim 1984 at momentum 0, where the spectral convergence never worsens; the accelerated one of Perraudin,
Balazs and Sondergaard 2013 above (.99 is theirs).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from spect.errors import SoundError
from spect.phase.frames import Frames

MOMENTUM = 0.99


def griffin_lim(
    frames: Frames, magnitude: Tensor, *, phase: Tensor, iterations: int = 32, momentum: float = MOMENTUM
) -> Tensor:
    """Find a spectrum of the given magnitude that is nearly some sound's.

    Args:
        frames: where the frames lie.
        magnitude: A >= 0.
        phase: to start from, in radians.
        iterations: how many; 0 returns the start.
        momentum: 0 is the plain algorithm.

    Shape: [..., T, K], [..., T, K] -> complex [..., T, K], of magnitude A.

    Raises:
        SoundError: a negative number of iterations or momentum.
    """
    start = torch.polar(magnitude, phase.to(magnitude))
    return _alternate(frames, start, lambda wanted: magnitude * torch.sgn(wanted), iterations, momentum)


def joint_griffin_lim(
    frames: Frames, known: Tensor, *, phase: Tensor, iterations: int = 32, momentum: float = MOMENTUM
) -> Tensor:
    """Find the phase that several channels share, where their spectra B are known but for it.

    Of all B e^(i phase), the nearest to spectra C has phase = arg sum over channels of C conj(B).

    Args:
        known: B, channels that are linear in the sound; real or complex.
        phase: to start from, in radians.

    Returns: e^(i phase), 0 where nothing is known.

    Shape: [..., C, T, K], [..., T, K] -> complex [..., 1, T, K].

    Raises:
        SoundError: a negative number of iterations or momentum.
    """
    turned = known.conj().resolve_conj()

    def turn(spectrum: Tensor) -> Tensor:
        return torch.sgn((spectrum * turned).sum(-3, keepdim=True))

    start = known * torch.polar(torch.ones_like(phase), phase).unsqueeze(-3)
    return turn(_alternate(frames, start, lambda wanted: known * turn(wanted), iterations, momentum))


def _alternate(
    frames: Frames, spectrum: Tensor, nearest: Callable[[Tensor], Tensor], iterations: int, momentum: float
) -> Tensor:
    """Go to and fro between the spectra of sounds and those that `nearest` allows."""
    if iterations < 0 or momentum < 0:
        raise SoundError(f"griffin-lim: iterations and momentum are 0 or more, got {iterations} and {momentum}")
    before = None
    for _ in range(iterations):
        consistent = frames.stft(frames.istft(spectrum))
        spectrum = nearest(consistent if before is None else torch.lerp(before, consistent, 1 + momentum))
        before = consistent if momentum else None
    return spectrum


def spectral_convergence_db(frames: Frames, magnitude: Tensor, signal: Tensor) -> Tensor:
    """Measure how far a signal's magnitude is from the wanted: 20 log10(||A - |STFT x||| / ||A||), lower is better.

    Where nothing is wanted, silence scores -inf and any sound +inf.

    Shape: [..., T, K], [..., L] -> [...].
    """
    wanted = magnitude.double()
    miss = (frames.stft(signal).abs().double() - wanted).square().sum((-2, -1))
    return torch.where(miss > 0, 10 * torch.log10(miss / wanted.square().sum((-2, -1))), -torch.inf)
