# SPDX-License-Identifier: Apache-2.0
"""Log power as a view: one channel (mid) or two (left, right), the phase found afterwards.

Gain is a shift in decibels over the floor, shift moves whole columns of silence in, with two channels swap exchanges
them (patches/augment/magnitude.py). It doesn't carry pan and width: what two channels do to each other depends on
the angle between them, which isn't in the picture (it is in stereo's). Nor polarity and phase: no magnitude changes.

Scaled by mean and deviation of each row as SpecGAN's (standard), or by one of all as ElectroGAN's (standard-one), but
that the floor is always within reach (patches/views/levels.py).
"""

from patches.augment.magnitude import level_transforms
from patches.views.levels import standard_levels
from patches.views.view import Kind, register
from spect.logmag import Logmag

register(
    Kind(
        cls=Logmag,
        scalings={
            "standard": standard_levels(per_row=True),
            "standard-one": standard_levels(per_row=False),
        },
        transforms=lambda representation: level_transforms(representation.channels, representation.floor_db),
    )
)
