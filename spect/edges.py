# SPDX-License-Identifier: Apache-2.0
"""How much a sound clicks at the frames it was made of.

    d[n] = mean over channels of |x[n - 1] - 2 x[n] + x[n + 1]|
    p[i] = mean over j of d[j hop + i],   i = 0 ... hop - 1
    edge = max p / median p

A jump at the frames' borders stands out in the second difference: an edge of 46 is the drone of cmyk's first networks,
about 1.06 is what real sounds have by chance (shared facts). A short sound's chance is larger: give many as channels.
"""

import torch
from torch import Tensor

from spect.errors import SoundError


def frame_edge(sounds: Tensor, hop: int) -> Tensor:
    """Return the second difference's peak over its median, folded at the frame rate; 1 for silence.

    Args:
        hop: samples from one frame's border to the next.

    Shape: [..., channels, L] -> [...].

    Raises:
        SoundError: sounds shorter than one frame and two samples.
    """
    whole = (sounds.shape[-1] - 2) // hop * hop if hop > 0 else 0
    if not whole:
        raise SoundError(f"edge: sounds have {hop + 2} samples at least, got {sounds.shape[-1]}")
    bent = (sounds[..., 2:] - 2 * sounds[..., 1:-1] + sounds[..., :-2]).abs()
    folded = bent[..., :whole].unflatten(-1, (-1, hop)).mean(dim=(-3, -2))
    median = folded.median(dim=-1).values
    return torch.where(median > 0, folded.amax(dim=-1) / median.clamp_min(torch.finfo(median.dtype).tiny), 1.0)
