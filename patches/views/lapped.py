# SPDX-License-Identifier: Apache-2.0
"""The MDCT as a view: real coefficients, companded each by itself with a scale per row.

Its augmentations are linear in the sound and the same on the canvas: polarity, gain, width, swap, pan, on any canvas.
Shift moves whole columns of two frames, even and odd together, exactly k * 2F samples but for F/2 samples on both sides
of where the sound's old ends come to lie, where frames had no neighbour to overlap with. No "phase": a real coefficient
has none to turn; the turned sound's coefficients need the sine half of the transform, which hangs on both neighbours.
"""

from patches.augment.level import Gain, Polarity
from patches.augment.shift import Shift
from patches.augment.stereo import Pan, Swap, Width
from patches.fitting import Sample, maxima
from patches.scaling import Compand, Linear, Scales
from patches.views.view import Kind, register
from spect.lapped import Lapped


def scales(sample: Sample) -> Scales:
    """Take each row's robust maximum, of the four channels together."""
    return maxima(sample, lambda canvas: canvas.abs())


register(
    Kind(
        cls=Lapped,
        scalings={
            "compand": lambda sample: Compand.fit(scales(sample), pairs=False),
            "linear": lambda sample: Linear.fit(scales(sample)),
        },
        transforms=lambda representation: (Shift(), Polarity(), Gain(), Width(), Swap(), Pan()),
    )
)
