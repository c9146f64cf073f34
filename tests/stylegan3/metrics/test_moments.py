# SPDX-License-Identifier: Apache-2.0
"""Moments in parts are those of the whole."""

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.moments import moments


def test_moments_in_batches_are_those_of_the_whole() -> None:
    x = 1000 + torch.randn(101, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for sizes in ([101], [1, 99, 1], [50, 0, 51]):
        got = moments(x.split(sizes))
        assert got.count == 101
        torch.testing.assert_close(got.mean, x.mean(0), rtol=1e-13, atol=0)
        torch.testing.assert_close(got.covariance, x.T.cov(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(moments(x).covariance, x.T.cov(), rtol=1e-9, atol=1e-12)


def test_float32_features_far_from_zero_lose_no_covariance() -> None:
    x = (1e4 + torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))).float()
    expected = x.double().T.cov()
    torch.testing.assert_close(moments(x.split(7)).covariance, expected, rtol=1e-9, atol=1e-9)


def test_merging_is_pooling() -> None:
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0)).double()
    merged = moments(x[:10]).merge(moments(x[10:]))
    assert merged.count == 30
    torch.testing.assert_close(merged.covariance, x.T.cov())


def test_bad_features_are_refused_in_one_line() -> None:
    for bad, reason in [
        ([], "at least 2 items"),
        (torch.ones(1, 3), "got 1"),
        ([torch.ones(2, 3), torch.ones(2, 4)], "3 and 4"),
    ]:
        with pytest.raises(NetworkError, match=reason):
            moments(bad)
