# SPDX-License-Identifier: Apache-2.0
"""Clicks of single sounds: at the frames that a sound was made of, and anywhere.

    d[n] = |x[n - 1] - 2 x[n] + x[n + 1]|
    frame clicks:  l[t, i] = log(max(1, d[t hop + i] / median over i of d[t hop + i])),
                   q[i] = mean over t and channels of l,   exp(max over i of (q[i] + q[i + 1]) / 2 - median over i)
    a click at n:  d[n] > 8 max of d[n + m],  2 < |m| <= 64,   and d[n] > 2 % of the sound's peak

`spect.edges.frame_edge` folds d itself, which serves a set of sounds: in one sound alone the loudest moment would stand
out of the fold (a drum's attack: up to 100). Here each frame is brought to the same level first, and logarithms make
the one frame count little: a peak must come back frame after frame. The median has a floor, so that in silence a jump
counts and the last bit doesn't.
A jump of one sample makes two large second differences, a spike of one sample three: hence the gap of 2. An attack is
no click: what follows it is as large; and a click in noise as loud as itself is neither found nor heard.
"""

import torch
from torch import Tensor
from torch.nn import functional

from spect.errors import SoundError
from spect.measures.sounds import check_sounds, finite_only

HOP = 1024  # the frames of cmyk
FRAMES_LEAST = 8  # below which a fold says nothing
FLOOR_OF_LARGEST, FLOOR = 1e-4, 2.0**-13  # of the median: of the sound's largest d, and four steps of 16 bits
RATIO_MOST = 1000.0  # of d to the median
GAP, REACH = 2, 64  # samples
PROMINENCE = 8.0
LEAST_OF_PEAK = 0.02
LEAST = 2.0**-13  # four steps of 16 bits


def frame_clicks(sounds: Tensor, hop: int = HOP) -> Tensor:
    """Measure how much a sound clicks at its frames' borders, wherever in the frame they lie.

    1 for silence and for sounds of fewer than 8 frames, which can't tell. By chance 1.1 in long sounds to 2.4 in short
    ones.

    Args:
        hop: frame period in samples.

    Shape: [N, 1 or 2, L] -> [N].

    Raises:
        SoundError: a hop below 1.
    """
    check_sounds(sounds)
    if hop < 1:
        raise SoundError(f"frame clicks: the hop is 1 sample or more, got {hop}")
    bent = _second_difference(sounds)
    frames = bent.shape[-1] // hop
    if frames < FRAMES_LEAST:
        return torch.ones(len(sounds), device=sounds.device)
    cut = bent[..., : frames * hop].unflatten(-1, (frames, hop))
    floor = (FLOOR_OF_LARGEST * bent.amax((1, 2))).clamp_min(FLOOR)[:, None, None, None]
    level = torch.maximum(cut.median(-1, keepdim=True).values, floor)
    fold = (cut / level).clamp(1.0, RATIO_MOST).log().mean((1, 2))
    pairs = (fold + fold.roll(-1, -1)) / 2
    return (pairs.amax(-1) - pairs.median(-1).values).exp()


def clicks_per_second(sounds: Tensor, sample_rate: int) -> Tensor:
    """Count single-sample jumps and spikes that stand out of the wave around them, in either channel.

    Shape: [N, 1 or 2, L] -> [N].
    """
    check_sounds(sounds)
    peak = finite_only(sounds).abs().flatten(1).amax(1)
    bent = _second_difference(sounds)
    if bent.shape[-1] == 0:
        return torch.zeros_like(peak)
    around = _largest_around(bent)
    least = (LEAST_OF_PEAK * peak).clamp_min(LEAST)[:, None, None]
    found = ((bent > PROMINENCE * around) & (bent > least)).any(1)
    begins = found & ~functional.pad(_spread(found, GAP)[:, :-1], (1, 0))
    return begins.sum(1) * (sample_rate / sounds.shape[-1])


def _second_difference(sounds: Tensor) -> Tensor:
    """Return d. Shape: [N, C, L] -> [N, C, L - 2], empty where L < 3."""
    x = finite_only(sounds).float()
    return (x[..., 2:] - 2 * x[..., 1:-1] + x[..., :-2]).abs()


def _spread(found: Tensor, reach: int) -> Tensor:
    """Carry each mark `reach` samples on. Shape: [N, L] -> [N, L]."""
    out = found.clone()
    for step in range(1, reach + 1):
        out[:, step:] |= found[:, :-step]
    return out


def _largest_around(bent: Tensor) -> Tensor:
    """Return the maximum over GAP < |m| <= REACH. Shape: [..., L] -> [..., L].

    The maximum over 64 - 2 samples, from 6 pairwise maxima of growing width.
    """
    width, length = REACH - GAP, bent.shape[-1]
    padded = functional.pad(bent, (REACH, REACH))
    ahead, reached = padded, 1  # ahead[n] = max of padded[n : n + reached]
    while reached < width:
        step = min(reached, width - reached)
        ahead = torch.maximum(ahead[..., : ahead.shape[-1] - step], ahead[..., step:])
        reached += step
    return torch.maximum(ahead[..., :length], ahead[..., REACH + GAP + 1 : REACH + GAP + 1 + length])
