# SPDX-License-Identifier: Apache-2.0
"""Log mel as a view: of the mid, or left and right scaled alike with the cosine and sine between them as they are.

Gain, width, pan and swap are exact on the bands' sums but for the phase, which is found afterwards; shift moves whole
columns of silence in (patches/augment/magnitude.py). It doesn't carry polarity and phase: no picture shows them.
"""

from patches.augment.magnitude import level_transforms
from patches.views.levels import standard_levels
from patches.views.view import Kind, register
from spect.mel import Mel

register(
    Kind(
        cls=Mel,
        scalings={
            "standard": standard_levels(per_row=True),
            "standard-one": standard_levels(per_row=False),
        },
        transforms=lambda representation: level_transforms(representation.channels, representation.floor_db),
    )
)
