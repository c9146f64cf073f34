# SPDX-License-Identifier: Apache-2.0
"""Stereo as a view: levels of left and right scaled alike, cosine and sine of their angle as they are.

Gain, width, pan and swap are exact on the pair but for the phase that both share, shift moves whole columns of silence
in (patches/augment/magnitude.py). It doesn't carry polarity and phase: they turn the shared phase, which isn't in the
picture.
"""

from patches.augment.magnitude import level_transforms
from patches.views.levels import standard_levels
from patches.views.view import Kind, register
from spect.stereo import Stereo

register(
    Kind(
        cls=Stereo,
        scalings={
            "standard": standard_levels(per_row=True),
            "standard-one": standard_levels(per_row=False),
        },
        transforms=lambda representation: level_transforms(4, representation.floor_db),
    )
)
