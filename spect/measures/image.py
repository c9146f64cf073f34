# SPDX-License-Identifier: Apache-2.0
"""How a sound lies between left and right, and what is left of it on one loudspeaker.

    M = (L + R) / 2,  S = (L - R) / 2
    mono compatibility = 10 log10 (2 P(M) / (P(L) + P(R))),   width = P(S) / (P(M) + P(S)),
    correlation = <L, R> / (|L| |R|)

In phase 0 dB, unrelated channels -3, one channel alone -3, opposite phase -60, the floor. The first two say the same in
two ways: width = 1 - 10^(mono / 10).
"""

import torch
from torch import Tensor

from spect.measures.sounds import LEAST, check_sounds, finite_only, ratio

FLOOR_DB = -60.0


def stereo_image(sounds: Tensor) -> dict[str, Tensor]:
    """Measure the stereo image.

    Returns:
        mono_compat_db: the mono mix's level against the stereo power, from -60 to 0; 0 for silence.
        width: the side's share of the energy, 0 to 1; 0 for mono and silence.
        correlation: of left and right, -1 to 1; 1 for mono and silence, 0 where one channel is silent.

    Shape: [N, 1 or 2, L] -> each [N].
    """
    check_sounds(sounds)
    clean = finite_only(sounds).float()
    left, right = clean[:, 0], clean[:, -1]
    mid, side, a, b = (x.square().mean(1) for x in ((left + right) / 2, (left - right) / 2, left, right))
    heard = a + b > LEAST
    kept = torch.where(heard, ratio(2 * mid, a + b), 1.0).clamp(10 ** (FLOOR_DB / 10), 1.0)
    together = ratio((left * right).mean(1), (a * b).sqrt()).clamp(-1, 1)
    return {
        "mono_compat_db": 10 * torch.log10(kept),
        "width": ratio(side, mid + side),
        "correlation": torch.where(heard, together, 1.0),
    }
