# SPDX-License-Identifier: Apache-2.0
"""Spectrograms of sounds for a page: the house look of spect/preview.py, low frequencies at the bottom, in few bytes.

A Hann window of about 46 ms (the power of two nearest to it), hops that fit the picture's width, power averaged over
each column, log2 rows from the first bin to half the sample rate, 70 dB from black to the loudest. White on black; in
stereo left orange and right blue, which add up to white.
"""

import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from spect.preview import levels

WIDTH, HEIGHT = 192, 128
SECONDS = 0.046
SHADES = 48  # of a picture in the page: more are not seen, and cost bytes
SILENCE = 1e-10  # power of -100 dB


def spectrogram(sound: np.ndarray, rate: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Draw a sound. Shape: [1 or 2, L] -> uint8 [height, width, 3]."""
    x = torch.from_numpy(np.ascontiguousarray(sound, dtype=np.float32)).nan_to_num(0, 0, 0)
    window = 2 ** max(round(math.log2(SECONDS * rate)), 4)
    hop = max(min(x.shape[-1] // width, window // 2), 1)
    hann = torch.hann_window(window)
    spectra = torch.stft(x, window, hop, window=hann, center=True, pad_mode="constant", return_complex=True)
    power = (spectra.abs() / (hann.sum() / 2)).square()
    columns = torch.nn.functional.adaptive_avg_pool2d(power[None], (power.shape[1], width))
    return levels(_decibels(columns).flip(2), height=height)[0].numpy()


def small_png(picture: np.ndarray) -> bytes:
    """Write a picture with a palette of few shades as png. Shape: uint8 [H, W, 3]."""
    shades = Image.fromarray(picture).quantize(SHADES, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    shades.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _decibels(power: Tensor) -> Tensor:
    return 10 * torch.log10(power.clamp_min(SILENCE))
