# SPDX-License-Identifier: Apache-2.0
"""The stereo image of signals whose answer is known."""

import pytest
import torch

from spect.measures.image import FLOOR_DB, stereo_image

A, B = torch.randn(2, 100000, generator=torch.Generator().manual_seed(0)).unbind(0)
NOTHING = torch.zeros_like(A)


@pytest.mark.parametrize(
    ("left", "right", "mono_db", "width", "correlation"),
    [
        (A, A, 0, 0, 1),
        (A, -A, FLOOR_DB, 1, -1),
        (A, B, -3.01, 0.5, 0),
        (A, NOTHING, -3.01, 0.5, 0),
        (NOTHING, NOTHING, 0, 0, 1),
        (A, 0.5 * A, -0.4576, 0.1, 1),  # 2 * .75^2 / 1.25
    ],
)
def test_known_images(left, right, mono_db: float, width: float, correlation: float) -> None:  # type: ignore[no-untyped-def]
    found = stereo_image(torch.stack([left, right])[None])
    assert found["mono_compat_db"].item() == pytest.approx(mono_db, abs=0.05)
    assert found["width"].item() == pytest.approx(width, abs=0.01)
    assert found["correlation"].item() == pytest.approx(correlation, abs=0.01)


def test_mono_files_are_mono() -> None:
    found = stereo_image(A[None, None])
    assert [found[name].item() for name in ("mono_compat_db", "width", "correlation")] == pytest.approx([0, 0, 1])
