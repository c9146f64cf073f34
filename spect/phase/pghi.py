# SPDX-License-Identifier: Apache-2.0
"""Phase from the magnitude's gradients: PGHI (Prusa, Balazs and Sondergaard 2017), batched.

Under a Gaussian window exp(-pi u^2 / gamma), X = exp(s + i phi) with phi counted from the frame's centre obeys
    d phi / d omega = -gamma / (2 pi) ds/dt,    d phi / dt = omega + 2 pi / gamma ds/d omega,
that is, with omega = 2 pi k / W and t = hop n (frame n),
    d phi / dk = -gamma / (W hop) ds/dn,        d phi / dn = 2 pi hop k / W + hop W / gamma ds/dk.
Hann's best Gaussian has gamma = .25645 W^2 (ibid., table 1). Central differences of s, trapezoids between neighbours;
summed along the maximum spanning forest of the grid, an edge being worth its weaker end: strong bins first, as the
paper's heap does. rfft counts phase from the frame's start, which adds pi k.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spect.phase.forest import Edges, integrate, trust_keys
from spect.phase.frames import Frames

HANN_GAMMA = 0.25645  # of W^2; Prusa et al. 2017, table 1
TOLERANCE = 1e-6  # of the item's largest magnitude: below it, phase is left to chance


def pghi(frames: Frames, magnitude: Tensor, *, chance: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Find the phase of a transform from its magnitude.

    Args:
        frames: where the frames lie.
        magnitude: of the transform, >= 0.
        chance: phase in radians of bins below the tolerance, and of each separate island's root.
        tolerance: relative to each item's largest magnitude.

    Shape: [..., T, K], [..., T, K] -> [..., T, K] in radians, -pi to pi.
    """
    if magnitude.numel() == 0:
        return chance.to(magnitude)
    flat = magnitude.detach().reshape(-1, *magnitude.shape[-2:])
    least = tolerance * flat.amax((1, 2), keepdim=True)
    log = flat.double().clamp_min(least.double().clamp_min(1e-300)).log()
    edges = _grid_edges(flat, (flat > least), *_slopes(frames, log))
    phase = integrate(flat.numel(), edges, chance.to(flat.device).double().reshape(-1))
    half_turns = math.pi * torch.arange(frames.bins, device=flat.device)
    phase = phase.reshape(magnitude.shape) + half_turns.double()
    return (torch.remainder(phase + math.pi, 2 * math.pi) - math.pi).to(magnitude.dtype)


def _slopes(frames: Frames, log: Tensor) -> tuple[Tensor, Tensor]:
    """Return the phase's derivatives by frame and by bin. Shape: [N, T, K] -> [N, T, K] each."""
    gamma = HANN_GAMMA * frames.window**2
    bins = torch.arange(frames.bins, device=log.device, dtype=log.dtype)
    by_frame = 2 * math.pi * frames.hop / frames.window * bins + frames.hop * frames.window / gamma * _slope(log, 2)
    by_bin = -gamma / (frames.window * frames.hop) * _slope(log, 1)
    return by_frame, by_bin


def _slope(values: Tensor, dim: int) -> Tensor:
    """Central differences, one-sided at the ends; 0 along an axis of one."""
    if values.shape[dim] == 1:
        return torch.zeros_like(values)
    return torch.gradient(values, dim=dim)[0]


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
