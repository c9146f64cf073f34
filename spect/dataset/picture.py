# SPDX-License-Identifier: Apache-2.0
"""A sound straight into the archive's order: `to_file_layout(Cmyk.encode(sound))` in one pass; and powers of a picture.

The file's [F, T, 4] float32 is [F, T, 2] complex64: (Re, Im) of mid, (Re, Im) of side. So the transform's bins F ... 1
are copied once, turned round, and the two real ones share row 0 (Nyquist real, DC imaginary: see spect.cmyk). It goes
by blocks of frames that stay in the cache; frames of padding and the side of a mono sound need no transform.
"""

import numpy as np
import torch

from spect.cmyk import Cmyk

BLOCK_BYTES = 1 << 18  # of one channel's samples, or of a picture's rows


def frames_of(length: int, shape: Cmyk) -> int:
    """Tell how many frames of a picture hold a sound of `length` samples; the others are zero."""
    return -(-length // shape.window)


def transform(sound: np.ndarray, shape: Cmyk) -> np.ndarray:
    """Transform a sound, at most a canvas long. Shape: [1 or 2, <= L] float32 -> [F, T, 4] float32."""
    channels, frames = sound.shape[0], frames_of(sound.shape[1], shape)
    out = np.empty((shape.rows, shape.frames, 2), np.complex64)
    out[:, frames:] = 0
    out[:, :frames, channels:] = 0
    values, words = out.view(np.float32).reshape(shape.rows, shape.frames, 4), out.view(np.uint64)
    values[0, :frames, 1::2] = 0
    step = max(1, BLOCK_BYTES // (4 * shape.window))
    for start in range(0, frames, step):
        stop = min(start + step, frames)
        block = _mid_side(sound[:, start * shape.window : stop * shape.window], (stop - start) * shape.window)
        framed = torch.from_numpy(block.reshape(channels, stop - start, shape.window))
        spectrum = torch.fft.rfft(framed).numpy()  # [1 or 2, frames, F + 1]
        for channel, bins in enumerate(spectrum.view(np.uint64)):  # 8 bytes moved as one: twice as fast
            words[:, start:stop, channel] = bins[:, :0:-1].T
        if shape.dc != "dropped":
            values[0, start:stop, 1 : 2 * channels : 2] = spectrum[:, :, 0].real.T
    return values


def powers(picture: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Measure each bin's power |X|^2 in a picture's first `frames` frames, beyond which it is zero.

    Of the picture alone, so that one kept from an interrupted build gives the same figures.

    Returns:
        The largest (of frames, mid and side), and the mean over all T frames.

    Shape: [F, T, 4] float32 -> [F + 1] float32, [F + 1] float64, from DC to Nyquist.
    """
    rows, all_frames, _ = picture.shape
    largest, total = np.zeros(rows + 1, np.float32), np.zeros(rows + 1)
    step = max(1, BLOCK_BYTES // (16 * max(1, frames)))
    for start in range(0, rows, step):
        block = picture[start : start + step, :frames].reshape(-1, 4 * frames).view(np.complex64)
        power = np.square(block.real)
        power += np.square(block.imag)
        _note(largest, total, rows - start, power)
    nyquist_and_dc = np.square(picture[0, :frames])
    _note(largest, total, rows, nyquist_and_dc[:, ::2].reshape(1, -1))
    _note(largest, total, 0, nyquist_and_dc[:, 1::2].reshape(1, -1))
    return largest, total / (2 * all_frames)


def _note(largest: np.ndarray, total: np.ndarray, first: int, power: np.ndarray) -> None:
    """Enter the powers of bins first, first - 1, ... Shape: [F + 1], [F + 1], [bins, 2 * frames]."""
    bins = np.arange(first, first - len(power), -1)
    largest[bins], total[bins] = power.max(axis=1, initial=0), power.sum(axis=1)


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
