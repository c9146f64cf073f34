# SPDX-License-Identifier: Apache-2.0
"""Rows of scores for tests."""

from patches.scores.rows import Score
from stylegan3.metrics.estimate import Estimate


def network(kimg: float, value: float, error: float = 0.1, **more) -> Score:
    """A snapshot's KAD by log-mel, with a 95 % interval of value +- error."""
    values = more.pop("values", {"kad": Estimate(value, value - error, value + error)})
    given = {"metric": "kad", "features": "log-mel 1", "count": 100, "reference": 50, "seeds": "0-99"} | more
    return Score(system=f"network-snapshot-{round(kimg):06d}", kind="network", values=values, kimg=kimg, **given)


def anchor(system: str = "train real", value: float = 0.5, **more) -> Score:
    """An anchor's row of the same."""
    given = {"metric": "kad", "features": "log-mel 1", "count": 100, "reference": 50} | more
    return Score(system=system, kind="anchor", values={"kad": Estimate(value, value - 0.1, value + 0.1)}, **given)
