# SPDX-License-Identifier: Apache-2.0
"""Low-pass filters against scipy and against what a low-pass filter must do."""

import numpy as np
import pytest
import scipy.signal
import scipy.special

from stylegan3.errors import NetworkError
from stylegan3.ops.filters import bessel_j1, lowpass, radial_lowpass


@pytest.mark.parametrize(
    ("taps", "cutoff", "width", "rate"),
    [(12, 2.0, 6.6, 32), (24, 4.0, 3.5, 64), (12, 16.0, 7.4, 64), (13, 3.0, 30.0, 32), (12, 5.0, 1.0, 32)],
)
def test_lowpass_equals_scipys_firwin(taps: int, cutoff: float, width: float, rate: float) -> None:
    expected = scipy.signal.firwin(numtaps=taps, cutoff=cutoff, width=width, fs=rate)
    assert np.abs(lowpass(taps, cutoff, width, rate) - expected).max() < 1e-12


def test_bessel_function_equals_scipys() -> None:
    x = np.linspace(0, 120, 4001)
    assert np.abs(bessel_j1(x) - scipy.special.j1(x)).max() < 1e-13


def test_radial_filter_is_symmetric_and_of_sum_one() -> None:
    taps, cutoff, width, rate = 12, 4.0, 7.0, 32
    h = radial_lowpass(taps, cutoff, width, rate)
    assert h.shape == (taps, taps)
    assert h.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.abs(h - h.T).max() < 1e-15
    assert np.abs(h - h[::-1]).max() < 1e-15


def test_radial_filter_passes_a_low_wave_and_stops_a_high_one_in_every_direction() -> None:
    taps, rate = 48, 32
    h = radial_lowpass(taps, 4.0, 4.0, rate)
    n = (np.arange(taps) - (taps - 1) / 2) / rate
    for angle in np.linspace(0, np.pi / 2, 7):
        across = np.cos(angle) * n[None, :] + np.sin(angle) * n[:, None]
        passed, stopped = (abs((h * np.exp(2j * np.pi * f * across)).sum()) for f in (1.5, 8.0))
        assert passed == pytest.approx(1.0, abs=0.02)
        assert stopped < 0.01


def test_an_odd_radial_filter_is_finite_at_its_centre() -> None:
    h = radial_lowpass(11, 4.0, 7.0, 32)
    assert np.isfinite(h).all()
    assert h.max() == h[5, 5]


def test_a_cutoff_above_the_nyquist_frequency_is_refused() -> None:
    with pytest.raises(NetworkError, match="cutoff 17"):
        lowpass(12, 17.0, 1.0, 32)
