# SPDX-License-Identifier: Apache-2.0
"""The quick transform is cmyk's own, and the statistics are those that the formulas give."""

import numpy as np
import pytest
import torch

from spect.audio import to_stereo
from spect.cmyk import Cmyk, to_file_layout
from spect.dataset.picture import frames_of, powers, transform
from spect.dataset.statistics import BINS_PER_OCTAVE, Statistics, measured

HALF_A_BIN = 2 ** (0.5 / BINS_PER_OCTAVE)


def noise(seed: int, channels: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (channels, length)).astype(np.float32) + np.float32(0.1)


def padded(sound: np.ndarray, shape: Cmyk) -> torch.Tensor:
    out = np.zeros((2, shape.samples), np.float32)
    out[:, : sound.shape[1]] = to_stereo(sound)
    return torch.from_numpy(out)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("rows", "frames"), [(16, 16), (64, 32), (512, 300), (3, 5)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_picture_is_cmyks_in_the_order_of_files(channels: int, rows: int, frames: int, share: float) -> None:
    shape = Cmyk(rows=rows, frames=frames)
    sound = noise(0, channels, max(1, int(share * shape.samples)))
    expected = to_file_layout(shape.encode(padded(sound, shape)).numpy())
    tolerance = 1e-6 * np.abs(expected).max()  # float32 rounding of a sum of 2F samples
    assert np.allclose(transform(sound, shape), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("channels", [1, 2])
def test_dropped_dc_is_in_neither_picture_nor_statistics(channels: int) -> None:
    shape = Cmyk(rows=16, frames=20, dc="dropped")
    sound = noise(4, channels, 600)
    picture = transform(sound, shape)
    largest, mean = powers(picture, frames_of(600, shape))
    expected = to_file_layout(shape.encode(padded(sound, shape)).numpy())
    assert np.allclose(picture, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert not picture[0, :, 1::2].any()
    statistics = Statistics(16)
    statistics.add(measured(largest, mean))
    found = statistics.to_dict()
    assert found["dc_maximum_p99"] == found["dc_rms"] == 0
    assert min(found["row_maximum_p99"]) > 0


def test_powers_are_those_of_each_bin_with_dc_and_nyquist_apart() -> None:
    shape = Cmyk(rows=32, frames=20)
    sound = noise(1, 2, shape.samples)
    mid_side = np.stack([sound[0] + sound[1], sound[0] - sound[1]]).astype(np.float64) / 2
    power = np.abs(np.fft.rfft(mid_side.reshape(2, 20, 64))) ** 2
    largest, mean = powers(transform(sound, shape), 20)
    assert np.allclose(largest, power.max(axis=(0, 1)), rtol=1e-4, atol=1e-6)
    assert np.allclose(mean, power.mean(axis=(0, 1)), rtol=1e-4, atol=1e-6)


def test_a_row_maximum_is_the_99th_percentile_over_items_within_a_bin() -> None:
    rng = np.random.default_rng(2)
    largest, statistics = 10 ** rng.uniform(-6, 5, (500, 9)), Statistics(8)
    for row in largest:
        statistics.add(measured(row, row / 10))
    exact = np.sqrt(np.sort(largest, axis=0)[494])  # 495 of 500 items are no larger
    found = statistics.to_dict()
    assert np.allclose(found["row_maximum_p99"], exact[:0:-1], rtol=HALF_A_BIN - 1 + 1e-5)
    assert found["dc_maximum_p99"] == pytest.approx(exact[0], rel=HALF_A_BIN - 1 + 1e-5)
    assert np.allclose(found["row_rms"], np.sqrt(largest.mean(axis=0) / 10)[:0:-1], rtol=1e-3)


def test_statistics_are_the_same_in_any_order() -> None:
    rng = np.random.default_rng(3)
    items = [measured(row, row) for row in rng.gamma(0.3, size=(60, 9))]
    forward, backward = Statistics(8), Statistics(8)
    for item in items:
        forward.add(item)
    for item in reversed(items):
        backward.add(item)
    assert forward.to_dict() == backward.to_dict()


def test_the_loudest_sounds_are_summed_exactly() -> None:
    statistics, powers = Statistics(4), [2.0**44] * 1000 + [2.0**-20]  # +60 dBFS in frames of 4096, and next to nothing
    for power in powers:
        statistics.add(measured(np.full(5, power), np.full(5, power)))
    assert statistics.to_dict()["row_rms"] == pytest.approx([2.0**22] * 4, rel=1e-3)
    upper, lower = statistics._powers[:, 0].tolist()
    assert upper * 2**40 + lower == 1000 * 2**64 + 1


def test_infinite_powers_stay_finite_figures() -> None:
    statistics = Statistics(2)
    statistics.add(measured(np.full(3, np.inf), np.full(3, np.inf)))
    found = statistics.to_dict()
    assert np.isfinite([*found["row_rms"], *found["row_maximum_p99"], found["dc_rms"], found["dc_maximum_p99"]]).all()


def test_empty_rows_measure_zero() -> None:
    statistics = Statistics(16)
    largest, mean = powers(transform(np.zeros((2, 100), np.float32), Cmyk(rows=16, frames=8)), 7)
    statistics.add(measured(largest, mean))
    found = statistics.to_dict()
    assert found["row_maximum_p99"] == found["row_rms"] == [0.0] * 16
    assert found["dc_maximum_p99"] == 0.0
