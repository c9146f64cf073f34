# SPDX-License-Identifier: Apache-2.0
"""The windowed spectrum as a view: complex values, companded on their modulus as cmyk's.

Polarity, gain, width, swap and pan are linear in the sound and the same on the canvas, on any canvas. Shift moves whole
columns, exactly k * hop samples but for a window at the ends. Phase turns all frequencies by one angle, row 0 (Nyquist,
DC: real) excepted. It is the sound's own rotation but for what a window lets through past 0 Hz: 60 dB and better for
sounds from bin 8 up; on drums and loops, whose bass lies below that, 31 dB in the median.
"""

import torch
from torch import Tensor

from patches.augment.level import Gain, Polarity
from patches.augment.phase import Phase
from patches.augment.shift import Shift
from patches.augment.stereo import Pan, Swap, Width
from patches.fitting import Sample, row_maxima
from patches.scaling import Compand, Linear, Scales, floored_scales
from patches.views.view import Kind, register
from spect.stft import Stft


def scales(sample: Sample) -> Scales:
    """Take each row's robust maximum, of mid and side together; row 0's slots (Nyquist, DC) are real and apart."""
    *rows, dc = row_maxima(sample.canvases(), moduli)
    return floored_scales(rows, dc)


def moduli(canvas: Tensor) -> Tensor:
    """Return |Re + i Im| by row, in row 0 |Re|, and as one more row DC. Shape: [n, 4, F, T] -> [n, 2, F + 1, T]."""
    real, imaginary = canvas[:, 0::2], canvas[:, 1::2]
    complex_ = torch.hypot(real[:, :, 1:], imaginary[:, :, 1:])
    return torch.cat([real[:, :, :1].abs(), complex_, imaginary[:, :, :1].abs()], dim=2)


register(
    Kind(
        cls=Stft,
        scalings={
            "compand": lambda sample: Compand.fit(scales(sample)),
            "linear": lambda sample: Linear.fit(scales(sample)),
        },
        transforms=lambda representation: (Shift(), Polarity(), Gain(), Width(), Swap(), Pan(), Phase()),
    )
)
