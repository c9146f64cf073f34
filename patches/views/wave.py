# SPDX-License-Identifier: Apache-2.0
"""The waveform as a view, for networks of waveforms: nothing to scale, every operation the one on the sound itself.

Shift is by whole samples. One channel (mid) bears no stereo operations.
"""

from patches.augment.level import Gain, Polarity
from patches.augment.shift import Shift
from patches.augment.stereo import OnLeftRight, Pan, Swap, Width
from patches.augment.transform import Transform
from patches.scaling import Unit
from patches.views.view import Kind, register
from spect.wave import Wave


def transforms(representation: Wave) -> tuple[Transform, ...]:
    """Give level and shift, and for two channels what acts between them."""
    stereo = tuple(OnLeftRight(transform) for transform in (Width(), Swap(), Pan()))
    return (Shift(), Polarity(), Gain(), *(stereo if representation.channels == 2 else ()))


register(Kind(cls=Wave, scalings={"unit": lambda sample: Unit()}, transforms=transforms))
