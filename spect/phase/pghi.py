# SPDX-License-Identifier: Apache-2.0
"""Phase from the magnitude's gradients: PGHI (Prusa, Balazs and Sondergaard 2017), batched, its slopes made for Hann.

A spectrum's phase, counted from each frame's centre, rises with time by the frequency that sounds in a bin, and with
frequency by how late in the frame it sounds:
    d phi / dn = 2 pi hop / W (k + delta),      d phi / dk = -2 pi tau / W        (frame n, bin k)
PGHI takes delta and tau from the slopes of log|X|, exactly under a Gaussian window. Under Hann's, with A = |X[n, k]|:
    delta = 2 (A[k+1] - A[k-1]) / (2 A + A[k+1] + A[k-1])                          exact for one tone within 2 bins
    tan(pi tau / W) = (sqrt(A[n+1] / A) - sqrt(A[n-1] / A)) / (2 sin(pi hop / W))     exact for one click
The first since Hann's transform is sinc(d) / (1 - d^2), the second since Hann is cos^2(pi u / W). Against the paper's
slopes (gamma = .25645 W^2) the spectral convergence gains 3 to 4 dB on loops and notes, half a dB on drums.

Phase is summed by trapezoids along the maximum spanning forest of the grid (spect/phase/forest.py), an edge being worth
its weaker end: strong bins first, as the paper's heap does. rfft counts phase from the frame's start: that adds pi k.
The paper leaves each tree's constant open. But DC and Nyquist of a real signal are real: the constant that turns them
nearest to the real axis is taken, worth 3 dB to the worst tenth of drums, whose kicks live in the lowest bins.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spect.phase.forest import Edges, integrate, trust_keys
from spect.phase.frames import Frames

LEAST = 1e-300  # keeps silence's quotients finite
TOLERANCE = 1e-6  # of the item's largest magnitude: below it, phase is left to chance


def pghi(frames: Frames, magnitude: Tensor, *, chance: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Find the phase of a transform from its magnitude.

    Args:
        frames: where the frames lie.
        magnitude: of the transform, >= 0.
        chance: phase in radians of bins below the tolerance, and of each tree's root before its constant is found.
        tolerance: relative to each item's largest magnitude.

    Shape: [..., T, K], [..., T, K] -> [..., T, K] in radians, -pi to pi.
    """
    if magnitude.numel() == 0:
        return chance.to(magnitude)
    flat = magnitude.detach().reshape(-1, *magnitude.shape[-2:])
    least = tolerance * flat.amax((1, 2), keepdim=True)
    edges = _grid_edges(flat, flat > least, *_slopes(frames, flat.double().clamp_min(LEAST).maximum(least.double())))
    phase, tree = integrate(flat.numel(), edges, chance.to(flat.device).double().reshape(-1))
    half_turns = math.pi * torch.arange(frames.bins, device=flat.device, dtype=torch.float64)
    phase = _turned_real(phase.reshape(flat.shape), tree.reshape(flat.shape), flat) + half_turns
    return (torch.remainder(phase + math.pi, 2 * math.pi) - math.pi).to(magnitude.dtype).reshape(magnitude.shape)


def _turned_real(phase: Tensor, tree: Tensor, magnitude: Tensor) -> Tensor:
    """Turn each tree so that the power of its DC and Nyquist bins is as real as it can be. Shape: [N, T, K] each."""
    ends = [0, -1]
    power, doubled, place = magnitude[..., ends].double().square(), 2 * phase[..., ends], tree[..., ends].flatten()
    across, along = (
        power.new_zeros(int(tree.max()) + 1).index_add_(0, place, (power * part).flatten())
        for part in (doubled.sin(), doubled.cos())
    )
    return phase - (torch.atan2(across, along) / 2)[tree]


def _slopes(frames: Frames, magnitude: Tensor) -> tuple[Tensor, Tensor]:
    """Return the phase's derivatives by frame and by bin. Shape: float64 > 0 [N, T, K] -> [N, T, K] each."""
    step = frames.hop / frames.window
    wide = torch.cat([magnitude[..., 1:2], magnitude, magnitude[..., -2:-1]], dim=-1)  # real signals mirror at the ends
    below, above = wide[..., :-2], wide[..., 2:]
    delta = 2 * (above - below) / (2 * magnitude + above + below)
    bins = torch.arange(frames.bins, device=magnitude.device, dtype=magnitude.dtype)
    root = torch.cat([magnitude[:, :1], magnitude, magnitude[:, -1:]], dim=1).sqrt()
    lateness = torch.atan((root[:, 2:] - root[:, :-2]) / (2 * math.sin(math.pi * step) * root[:, 1:-1]))
    return 2 * math.pi * step * (bins + delta), -2 * lateness


def _grid_edges(magnitude: Tensor, audible: Tensor, by_frame: Tensor, by_bin: Tensor) -> Edges:
    """Join each audible bin to its audible neighbours in the next frame and in the next bin. Shape: [N, T, K] each."""
    node = torch.arange(magnitude.numel(), device=magnitude.device).reshape(magnitude.shape)
    parts = []
    for dim, slope in ((1, by_frame), (2, by_bin)):
        size = magnitude.shape[dim] - 1
        ends = [[x.narrow(dim, at, size) for at in (0, 1)] for x in (node, slope, magnitude, audible)]
        joined = ends[3][0] & ends[3][1]
        trapezoid, weaker = (ends[1][0] + ends[1][1]) / 2, torch.minimum(*ends[2]).float()
        key = trust_keys(weaker[joined], 2 * ends[0][0][joined] + dim - 1)
        parts.append((ends[0][0][joined], ends[0][1][joined], trapezoid[joined], key))
    return Edges(*(torch.cat(both) for both in zip(*parts, strict=True)))
