# SPDX-License-Identifier: Apache-2.0
"""What every measure asks of its sounds, and the few operations that all of them share.

A set of sounds is [N, 1 or 2, L], N and L from 1 up, all of one rate and length.
"""

import torch
from torch import Tensor

from spect.errors import SoundError

LEAST = 1e-20  # a power below this is nothing


def check_sounds(sounds: Tensor) -> None:
    """Refuse what isn't a set of sounds. Raises: SoundError for another shape than [N, 1 or 2, L]."""
    if sounds.ndim != 3 or sounds.shape[1] not in (1, 2) or sounds.shape[2] == 0:
        raise SoundError(f"measures: sounds are [N, 1 or 2, L], got {list(sounds.shape)}")


def finite_only(sounds: Tensor) -> Tensor:
    """Return the sounds with 0 in place of NaN and Inf."""
    return torch.nan_to_num(sounds, nan=0.0, posinf=0.0, neginf=0.0)


def mid_of(sounds: Tensor) -> Tensor:
    """Return the mid. Shape: [N, 1 or 2, L] -> [N, L]. Raises: SoundError for NaN or Inf."""
    check_sounds(sounds)
    if not torch.isfinite(sounds).all():
        raise SoundError("measures: a sound holds NaN or Inf; leave it out first (levels()['finite'])")
    return sounds.float().mean(1)


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide, 0 where there is nothing to divide by."""
    return torch.where(denominator > LEAST, numerator / denominator.clamp_min(LEAST), torch.zeros_like(numerator))
