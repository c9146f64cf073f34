# SPDX-License-Identifier: Apache-2.0
"""Root mean square error between pairs of pictures or sounds: the seeds' tables."""

from torch import Tensor

from spect.errors import SoundError


def rmse(wanted: Tensor, got: Tensor) -> Tensor:
    """Return each pair's root mean square error, in the unit of what is given.

    Shape: [N, ...], [N, ...] -> float64 [N].

    Raises:
        SoundError: sets of different shapes.
    """
    if wanted.shape != got.shape or wanted.ndim < 2:
        raise SoundError(f"rmse: wants two sets of one shape, got {list(wanted.shape)} and {list(got.shape)}")
    return (wanted.double() - got.double()).square().flatten(1).mean(1).sqrt()
