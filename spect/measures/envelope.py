# SPDX-License-Identifier: Apache-2.0
"""When a sound begins, how fast it rises and how fast it dies away.

E[t] = root mean square of all channels over 4 ms around t, a step a millisecond
onset:  the first sample of at least a tenth of the sound's peak (-20 dB)
attack: from the first E of a tenth of max E to the first of nine tenths
decay:  60 dB over the slope of a straight line through 20 log10 E, least squares, from max E to the first E after
        it that is 20 dB below, or to the end: the time that the sound would take to fall by 60 dB (T20 of room
        acoustics, ISO 3382-2, read from the envelope in place of the integrated one, which falls at any sound's end)
"""

import torch
from torch import Tensor
from torch.nn import functional

from spect.measures.sounds import check_sounds, finite_only

WINDOW = 4  # steps
LOW, HIGH = 0.1, 0.9  # of the peak: the rise time of electronics
DECAY_DB = 20.0
LEAST_FALL_DB = 3.0  # less than this to the end: it doesn't decay


def times_ms(sounds: Tensor, sample_rate: int) -> dict[str, Tensor]:
    """Measure a sound's times, in milliseconds, to about 1; an attack is never found shorter than about 3.

    Returns:
        onset_ms, attack_ms: 0 for silence. decay_ms: the time to fall by 60 dB, infinite where the sound doesn't fall
        by 3 dB from its loudest moment to its end, and 0 for silence.

    Shape: [N, 1 or 2, L] -> each [N].
    """
    check_sounds(sounds)
    clean = finite_only(sounds).float()
    size = clean.abs().amax(1)
    onset = _first(size >= LOW * size.amax(1, keepdim=True)) * (1000.0 / sample_rate)
    envelope, step_ms = _envelope(clean, sample_rate)
    loudest = envelope.amax(1, keepdim=True)
    attack = (_first(envelope >= HIGH * loudest) - _first(envelope >= LOW * loudest)).clamp_min(0) * step_ms
    return {"onset_ms": onset, "attack_ms": attack, "decay_ms": _decay(envelope, loudest) * step_ms}


def _envelope(sounds: Tensor, sample_rate: int) -> tuple[Tensor, float]:
    """Return E, and its step in milliseconds. Shape: [N, C, L] -> [N, ceil(L / step)]."""
    step = max(1, round(sample_rate / 1000))
    power = functional.pad(sounds.square().mean(1), (0, -sounds.shape[-1] % step)).unflatten(-1, (-1, step)).mean(-1)
    padded = functional.pad(power, (WINDOW // 2, WINDOW - 1 - WINDOW // 2))
    return functional.avg_pool1d(padded[:, None], WINDOW, 1)[:, 0].sqrt(), 1000.0 * step / sample_rate


def _first(found: Tensor) -> Tensor:
    """Return the index of the first mark, 0 where there is none. Shape: [N, T] -> [N]."""
    return found.int().argmax(1)


def _decay(envelope: Tensor, loudest: Tensor) -> Tensor:
    """Return the steps in which each envelope would fall by 60 dB. Shape: [N, T], [N, 1] -> [N]."""
    decibels = 20 * torch.log10((envelope / loudest.clamp_min(1e-20)).clamp_min(1e-6))
    index = torch.arange(envelope.shape[1], device=envelope.device)
    start = envelope.argmax(1, keepdim=True)
    fallen = (decibels <= -DECAY_DB) & (index > start)
    end = torch.where(fallen.any(1), _first(fallen), envelope.shape[1] - 1)[:, None]
    weight = ((index >= start) & (index <= end)).to(decibels)
    count = weight.sum(1, keepdim=True)
    time = (index - (weight * index).sum(1, keepdim=True) / count) * weight
    slope = (time * decibels).sum(1) / time.square().sum(1).clamp_min(1e-12)  # dB a step
    falls = slope * (end - start)[:, 0] <= -LEAST_FALL_DB
    steps = torch.where(falls, -60 / slope.clamp_max(-1e-12), torch.inf)
    return torch.where(loudest[:, 0] > 0, steps, 0.0)
