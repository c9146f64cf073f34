# SPDX-License-Identifier: Apache-2.0
"""The demonstration's judge tells good sounds from bad ones."""

import pytest
import torch

from examples.check_demo import check_files, correlation, shaped_noise, smallest_distance, table
from examples.synth import synthesize


@pytest.fixture(scope="module")
def sounds() -> torch.Tensor:
    return torch.stack([torch.from_numpy(sound) for _, sound in synthesize(12, 4096, 8000, seed=0)])


def bad_rows(sounds: torch.Tensor) -> list[str]:
    return [row.name for row in check_files(sounds) if not row.good]


def test_good_notes_pass(sounds):
    assert bad_rows(sounds) == []


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda x: x.index_fill(0, torch.tensor(3), 0.0), "quietest, rms"),
        (lambda x: (4 * x).clamp(-1, 1), "clipped samples, worst file"),
        (lambda x: 0.5 * x + 0.1, "|mean| / peak, worst file"),
        (lambda x: torch.cat([x, x[:1] * 1.01]), "nearest pair, difference / rms"),
        (lambda x: x.masked_fill(torch.arange(x.shape[-1]) == 9, torch.inf), "finite"),
    ],
    ids=["silent", "clipped", "dc", "twice the same", "infinite"],
)
def test_each_fault_is_named(sounds, spoil, name):
    assert name in bad_rows(spoil(sounds))


def test_smallest_distance_of_orthogonal_signals_of_equal_level_is_root_two():
    t = torch.arange(4096) / 4096
    tones = torch.stack([torch.sin(2 * torch.pi * hz * t) for hz in (10.0, 20.0, 30.0)])[:, None].expand(-1, 2, -1)
    assert smallest_distance(tones) == pytest.approx(2**0.5, rel=1e-4)


def test_correlation_ignores_level_and_offset():
    picture = torch.rand(4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert correlation(picture, 3 * picture + 1) == pytest.approx(1, abs=1e-5)
    assert correlation(picture, -picture) == pytest.approx(-1, abs=1e-5)


def test_shaped_noise_has_the_datas_spectrum_and_width_and_no_envelope(sounds):
    noise = shaped_noise(sounds, 400, torch.Generator().manual_seed(0))
    for sign in (1, -1):  # mid, side
        wanted, got = (
            torch.fft.rfft((x[:, 0] + sign * x[:, 1]).double()).abs().square().mean(0) for x in (sounds, noise)
        )
        bands = [slice(2**k, 2 ** (k + 1)) for k in range(4, 11)]
        for band in bands:
            assert got[band].sum() == pytest.approx(wanted[band].sum(), rel=0.25)
    envelope = noise.square().mean((0, 1)).unflatten(0, (8, -1)).mean(1)
    assert envelope.max() < 1.3 * envelope.min()


def test_table_marks_what_is_not_so(sounds):
    text = table(check_files(0.5 * sounds + 0.1))
    assert "< 1 %               NOT SO" in text
    assert text.count("ok") == 4
