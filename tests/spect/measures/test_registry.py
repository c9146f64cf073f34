# SPDX-License-Identifier: Apache-2.0
"""Feature sets by name: versions pinned by numbers, batches that change nothing."""

import pytest
import torch

from spect.measures.registry import FEATURES

# name: version, numbers a sound, their sum and norm for `chirps`. If these change, the version must.
GOLDEN = {
    "log-mel": (1, 528, -3.35611, 3.898775),
    "modulation": (1, 36, 0.641426, 0.212488),
    "stereo": (1, 28, 0.157240, 1.496310),
    "waveform": (1, 273, -19.541395, 1.950990),
}


def chirps() -> torch.Tensor:
    t = torch.arange(8000, dtype=torch.float64) / 8000
    return torch.stack([torch.sin(2000 * t) * torch.exp(-5 * t) * 0.5, torch.cos(5000 * t * t) * 0.3])[None].float()


def noise(count: int) -> torch.Tensor:
    return 0.1 * torch.randn(count, 2, 3000, generator=torch.Generator().manual_seed(0))


def test_versions_and_numbers_change_together() -> None:
    measured = {}
    for name, one in FEATURES.items():
        out = one.function(chirps(), 8000)[0].double()
        measured[name] = (one.version, len(out), float(out.sum()), float(out.norm()))
    assert measured.keys() == GOLDEN.keys()
    for name, golden in GOLDEN.items():
        assert measured[name] == pytest.approx(golden, abs=2e-3), name
