# SPDX-License-Identifier: Apache-2.0
"""A sound straight into the archive's order, measured on the way: `to_file_layout(Cmyk.encode(sound))` in one pass.

The file's [F, T, 4] float32 is [F, T, 2] complex64: (Re, Im) of mid, (Re, Im) of side. So the transform's bins F ... 1
are copied once, turned round, and the two real ones share row 0 (Nyquist real, DC imaginary: see spect.cmyk). It goes
by blocks of frames that stay in the cache; frames of padding and the side of a mono sound need no transform.
"""

import numpy as np
import torch

from spect.cmyk import Cmyk

BLOCK_BYTES = 1 << 19  # of one channel's samples


def transform(sound: np.ndarray, shape: Cmyk) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transform a sound, at most a canvas long.

    Returns:
        The picture, and of each bin's power |X|^2 the largest (of frames, mid and side) and the mean; those of DC are
        0 where it is dropped.

    Shape: [1 or 2, <= L] float32 -> [F, T, 4] float32, [F + 1], [F + 1] from DC to Nyquist.
    """
    channels, frames = sound.shape[0], -(-sound.shape[1] // shape.window)
    out = np.empty((shape.rows, shape.frames, 2), np.complex64)
    out[:, frames:] = 0
    out[:, :frames, channels:] = 0
    values, words = out.view(np.float32).reshape(shape.rows, shape.frames, 4), out.view(np.uint64)
    values[0, :frames, 1::2] = 0
    largest, total = np.zeros(shape.rows + 1, np.float32), np.zeros(shape.rows + 1)
    step = max(1, BLOCK_BYTES // (4 * shape.window))
    for start in range(0, frames, step):
        stop = min(start + step, frames)
        block = _mid_side(sound[:, start * shape.window : stop * shape.window], (stop - start) * shape.window)
        framed = torch.from_numpy(block.reshape(channels, stop - start, shape.window))
        spectrum = torch.fft.rfft(framed).numpy()  # [1 or 2, frames, F + 1]
        for channel, bins in enumerate(spectrum.view(np.uint64)):  # 8 bytes moved as one: twice as fast
            words[:, start:stop, channel] = bins[:, :0:-1].T
        if shape.dc == "dropped":
            spectrum[:, :, 0] = 0
        values[0, start:stop, 1 : 2 * channels : 2] = spectrum[:, :, 0].real.T
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        power = power.reshape(-1, shape.rows + 1)
        np.maximum(largest, power.max(axis=0), out=largest)
        total += power.sum(axis=0)
    return values, largest, total / (2 * shape.frames)


def _mid_side(sound: np.ndarray, length: int) -> np.ndarray:
    """Shape: [1 or 2, <= length] -> [1 or 2, length], padded with zeros."""
    out = np.zeros((sound.shape[0], length), np.float32)
    filled = out[:, : sound.shape[1]]
    if sound.shape[0] == 1:
        filled[...] = sound
    else:
        np.add(sound[0], sound[1], out=filled[0])
        np.subtract(sound[0], sound[1], out=filled[1])
        filled *= np.float32(0.5)
    return out
