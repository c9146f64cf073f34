# SPDX-License-Identifier: Apache-2.0
"""Measure pictures as a build measures the sounds that it makes them of: to the same integers.

Nothing is stored of an item's own figures, nor of the histograms that a build fills with them. So they are computed
again, from the bins that the picture holds: powers in float32, summed in the order of spect.dataset.picture.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from spect.archive.ahead import ahead
from spect.dataset.picture import BLOCK_BYTES
from spect.dataset.statistics import Measured, Statistics, measured


def figures(picture: np.ndarray) -> Measured:
    """Measure a picture as it is stored. Shape: [F, T, 4] float32."""
    rows, frames, _ = picture.shape
    bins = np.ascontiguousarray(picture).view(np.complex64)  # [F, T, 2]: mid, side
    largest, total = np.zeros(rows + 1, np.float32), np.zeros(rows + 1)
    step = max(1, BLOCK_BYTES // (8 * rows))
    for start in range(0, frames, step):
        block = bins[:, start : start + step]
        spectrum = np.empty((2, block.shape[1], rows + 1), np.complex64)
        spectrum[:, :, :0:-1] = block.transpose(2, 1, 0)
        spectrum[:, :, 0] = block[0].imag.T  # row 0: Nyquist real, DC imaginary
        spectrum[:, :, rows] = block[0].real.T
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        power = power.reshape(-1, rows + 1)
        np.maximum(largest, power.max(axis=0), out=largest)
        total += power.sum(axis=0)
    return measured(largest, total / (2 * frames))


def statistics(pictures: Iterable[np.ndarray], rows: int) -> Statistics:
    """Measure pictures and count them all. Shape: each [F, T, 4]."""
    counted = Statistics(rows)
    found: Iterator[Measured] = ahead(figures, pictures)
    for one in found:
        counted.add(one)
    return counted
