# SPDX-License-Identifier: Apache-2.0
"""Short-time Fourier transform of a sound of fixed length, and its least-squares inverse.

    X[t, k] = sum over n of w[n] x[c_t - W/2 + n] exp(-2 pi i k n / W),   c_t = first + t hop,   k = 0 ... W/2
    x[m] = sum over t of w[m - a_t] y_t[m - a_t] / sum over t of w[m - a_t]^2,   a_t = c_t - W/2,   y_t = irfft of X[t]

w is the periodic Hann window or its square root, the sine window; outside [0, L) the sound is 0. The inverse is that of
Griffin and Lim 1984, equation 6: of all sounds it has the transform nearest to X; it is exact where X is a transform of
some sound and frames overlap.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from spect.errors import SoundError

LEAST_WEIGHT = 1e-10  # sum of w^2 below which no frame covers a sample: it becomes 0


@dataclass(frozen=True)
class Frames:
    """Where the frames of a sound lie.

    Args:
        window: W, samples a frame, even.
        hop: samples from one frame to the next.
        count: T, frames.
        samples: L, the sound's length.
        first: the sample at the centre of frame 0: 0 is "centred" as in the papers; hop // 2 is symmetric where
            T hop = L.
        taper: 'hann', or 'sine', its root: at hop = W/2 the sum of its squares is 1 all over, so that an error on the
            spectra is spread evenly (Hann's would stand out by a quarter between frames).
    """

    window: int
    hop: int
    count: int
    samples: int
    first: int = 0
    taper: Literal["hann", "sine"] = "hann"

    def __post_init__(self) -> None:
        for label, least in (("window", 4), ("hop", 1), ("count", 1), ("samples", 1), ("first", 0)):
            value = getattr(self, label)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SoundError(f"frames: {label} is a whole number from {least} up, got {value!r}")
        if self.window % 2:
            raise SoundError(f"frames: window is even, got {self.window}")
        if self.hop >= self.window:
            raise SoundError(f"frames: hop is less than the window ({self.window}), got {self.hop}")
        if self.taper not in ("hann", "sine"):
            raise SoundError(f"frames: taper is 'hann' or 'sine', got {self.taper!r}")

    @property
    def bins(self) -> int:
        """K = W/2 + 1: from DC to Nyquist."""
        return self.window // 2 + 1

    @property
    def _pads(self) -> tuple[int, int]:
        """Samples that the frames reach out before and after the sound; negative where they don't reach its end."""
        last = self.first + (self.count - 1) * self.hop
        return self.window // 2 - self.first, last + self.window // 2 - self.samples

    def weight(self, like: Tensor) -> Tensor:
        """Return the window as `like`'s dtype and device. Shape: [W]."""
        return _taper(self.window, self.taper, like.device, like.dtype)

    def stft(self, signal: Tensor) -> Tensor:
        """Transform signals; differentiable.

        Shape: [..., L] -> complex [..., T, K].

        Raises:
            SoundError: another length.
        """
        if signal.shape[-1:] != (self.samples,):
            raise SoundError(f"frames: signals are [..., {self.samples}], got {list(signal.shape)}")
        if signal.numel() == 0:  # FFT libraries refuse an empty batch
            return torch.complex(*[signal.new_zeros(*signal.shape[:-1], self.count, self.bins)] * 2)
        padded = functional.pad(signal, self._pads)
        return torch.fft.rfft(padded.unfold(-1, self.window, self.hop) * self.weight(signal))

    def istft(self, spectrum: Tensor) -> Tensor:
        """Find the signals whose transforms are nearest; differentiable.

        Shape: complex [..., T, K] -> [..., L].

        Raises:
            SoundError: another shape.
        """
        if spectrum.shape[-2:] != (self.count, self.bins):
            raise SoundError(f"frames: spectra are [..., {self.count}, {self.bins}], got {list(spectrum.shape)}")
        leading = spectrum.shape[:-2]
        if spectrum.numel() == 0:
            return spectrum.real.new_zeros(*leading, self.samples)
        pieces = torch.fft.irfft(spectrum.reshape(-1, self.count, self.bins), n=self.window)
        whole = self._overlap_add(pieces * self.weight(pieces))
        before, after = self._pads
        signal = functional.pad(whole, (-before, -after)) * _evening(self, whole.device, whole.dtype)
        return signal.reshape(*leading, self.samples)

    def _overlap_add(self, pieces: Tensor) -> Tensor:
        """Add frames where they lie. Shape: [N, T, W] -> [N, (T - 1) hop + W]."""
        parts = -(-self.window // self.hop)  # of a frame, a hop long each, the last one filled up
        pieces = functional.pad(pieces, (0, parts * self.hop - self.window)).unflatten(-1, (parts, self.hop))
        whole = pieces.new_zeros(len(pieces), self.count + parts - 1, self.hop)
        for part in range(parts):  # ten times as fast as torch's fold
            whole[:, part : part + self.count] += pieces[:, :, part]
        return whole.flatten(1)[:, : (self.count - 1) * self.hop + self.window]


@lru_cache(maxsize=32)
def _taper(window: int, taper: str, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # kept for later calls, which may want gradients
        hann = torch.hann_window(window, periodic=True, dtype=torch.float64)
        return (hann if taper == "hann" else hann.sqrt()).to(device, dtype)


@lru_cache(maxsize=8)
def _evening(frames: Frames, device: torch.device, dtype: torch.dtype) -> Tensor:
    """One over the sum of w^2 at every sample, 0 where nothing covers it. Shape: [L]."""
    with torch.inference_mode(False):
        square = _taper(frames.window, frames.taper, torch.device("cpu"), torch.float64).square()
        before, after = frames._pads
        covered = functional.pad(frames._overlap_add(square.expand(1, frames.count, -1)), (-before, -after))[0]
        return torch.where(covered > LEAST_WEIGHT, 1 / covered, 0.0).to(device, dtype)
