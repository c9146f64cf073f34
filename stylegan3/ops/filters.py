# SPDX-License-Identifier: Apache-2.0
"""Low-pass filters: a sinc (or its radial kin, the jinc) under a Kaiser window. Numpy alone.

A filter of n taps passes below ``cutoff`` and has a transition ``width`` wide, both in the unit of ``rate``. Kaiser's
formulas give the window from n and the width (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.5.3):

    attenuation a = 2.285 (n - 1) pi w + 7.95 dB,    w = width / (rate/2)
    beta = 0.1102 (a - 8.7)                               for a > 50
           0.5842 (a - 21)^0.4 + 0.07886 (a - 21)         for 21 <= a <= 50
           0                                              below
"""

from __future__ import annotations

from math import pi

import numpy as np

from stylegan3.errors import NetworkError


def kaiser_beta(taps: int, width: float, rate: float) -> float:
    """Return the Kaiser window's shape for a transition ``width`` wide."""
    attenuation = 2.285 * (taps - 1) * pi * width / (rate / 2) + 7.95
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return 0.0


def bessel_j1(x: np.ndarray) -> np.ndarray:
    """Return the Bessel function J1 to float64's precision. Shape: any.

    J1(x) = 1/(2 pi) integral of cos(t - x sin t) over a period; equally spaced points integrate a smooth periodic
    function with an error that falls faster than any power once there are more of them than x
    (torch.special.bessel_j1 is right to 5e-7 only, in float64 too).
    """
    points = 64 + 2 * int(np.ceil(np.abs(x).max(initial=0.0)))
    t = 2 * pi * np.arange(points) / points
    result: np.ndarray = np.cos(t - np.asarray(x, dtype=np.float64)[..., None] * np.sin(t)).mean(axis=-1)
    return result


def _checked(taps: int, cutoff: float, width: float, rate: float) -> np.ndarray:
    """Return the taps' times, centred, in units of 1/rate."""
    if taps < 1 or not 0 < cutoff <= rate / 2 or width <= 0:
        raise NetworkError(f"filter of {taps} taps, cutoff {cutoff}, width {width}: cutoff must lie in (0, {rate / 2}]")
    return np.arange(taps) - (taps - 1) / 2


def lowpass(taps: int, cutoff: float, width: float, rate: float) -> np.ndarray:
    """Return a sinc under a Kaiser window, of sum 1: scipy.signal.firwin's result. Shape: [taps] float64."""
    n = _checked(taps, cutoff, width, rate)
    c = min(cutoff / (rate / 2), 1.0)
    h = c * np.sinc(c * n) * np.kaiser(taps, kaiser_beta(taps, width, rate))
    return h / h.sum()


def radial_lowpass(taps: int, cutoff: float, width: float, rate: float) -> np.ndarray:
    """Return a circularly symmetric low-pass filter of sum 1. Shape: [taps, taps] float64.

    jinc(r) = f_c J1(2 pi f_c r) / r, the inverse transform of a disc of radius f_c, times the outer product of
    Kaiser windows (Karras et al. 2021, section 3.2 and appendix C.1).
    """
    n = _checked(taps, cutoff, width, rate) / rate
    r = np.hypot(n[:, None], n[None, :])
    safe = np.where(r == 0, 1.0, r)
    jinc = np.where(r == 0, pi * cutoff**2, cutoff * bessel_j1(2 * pi * cutoff * safe) / safe)
    window = np.kaiser(taps, kaiser_beta(taps, width, rate))
    h = jinc * np.outer(window, window)
    return h / h.sum()
