# SPDX-License-Identifier: Apache-2.0
"""The archive's own picture as a view (Henshaw 2022).

Its augmentations are linear in the sound and so the same on the canvas: polarity, gain, width, swap, pan. Shift moves
whole columns, on frames that don't overlap exactly k * window samples. No "phase": on rectangular frames a phase
rotation breaks the frames' edges.
"""

from patches.augment.level import Gain, Polarity
from patches.augment.luma import LUMA_ROTATIONS
from patches.augment.shift import Shift
from patches.augment.stereo import Pan, Swap, Width
from patches.fitting import Sample
from patches.scaling import Compand, Linear, Scales, floored_scales
from patches.views.view import Kind, register
from spect.cmyk import Cmyk


def scales(sample: Sample) -> Scales:
    """Take the scales that the archive's building measured; row 0's slots are real and apart where DC is packed."""
    statistics = sample.archive.statistics
    packed = sample.archive.representation.dc == "packed"
    return floored_scales(statistics["row_maximum_p99"], statistics["dc_maximum_p99"] if packed else None)


register(
    Kind(
        cls=Cmyk,
        scalings={
            "compand": lambda sample: Compand.fit(scales(sample)),
            "linear": lambda sample: Linear.fit(scales(sample)),
        },
        transforms=lambda representation: (Shift(), Polarity(), Gain(), Width(), Swap(), Pan()),
        on_request=LUMA_ROTATIONS,
    )
)
