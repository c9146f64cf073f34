# SPDX-License-Identifier: Apache-2.0
"""Root mean square error of pairs."""

import pytest
import torch

from spect.errors import SoundError
from spect.measures import rmse


def test_rmse_is_each_pairs_own() -> None:
    wanted = torch.zeros(2, 3, 4)
    got = wanted.clone()
    got[1] = 2.0
    got[1, 0] = -1.0
    assert rmse(wanted, got).tolist() == [0, pytest.approx(3**0.5)]  # (4 + 8 * 4) / 12


def test_unlike_sets_are_refused() -> None:
    with pytest.raises(SoundError, match="one shape"):
        rmse(torch.zeros(2, 3), torch.zeros(3, 3))
