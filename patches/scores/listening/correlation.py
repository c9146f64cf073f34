# SPDX-License-Identifier: Apache-2.0
"""How well scores foretell opinions: correlation over the systems that have both, with 95 % intervals.

Pearson's and Spearman's, by stylegan3/metrics/correlation.py; of three systems no interval is told, of fewer nothing.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from patches.scores.rows import Score
from stylegan3.metrics import pearson, spearman
from stylegan3.metrics.estimate import Estimate


@dataclass(frozen=True)
class Correlation:
    """Of one figure of one measure with MOS: over how many systems, and by name (pearson, spearman) how well."""

    metric: str
    features: str
    value: str
    systems: int
    by_name: Mapping[str, Estimate]


def correlations(xs: Sequence[float], ys: Sequence[float]) -> dict[str, Estimate]:
    """Correlate pairs: pearson and spearman; NaN where one side is constant or there are fewer than three."""
    return {"pearson": pearson(xs, ys), "spearman": spearman(xs, ys)}


def with_opinions(scores: Iterable[tuple[Path, Score]], opinions: Mapping[str, float]) -> list[Correlation]:
    """Correlate every figure of every measure with the MOS of the systems that have both.

    A row's system is sought by its name, and by its file's folder and its name, as where runs share a stem. Of several
    rows of one system the last counts.
    """
    table: dict[tuple[str, str, str], dict[str, float]] = {}
    for path, score in scores:
        names = (score.system, f"{path.resolve().parent.name}/{score.system}")
        system = next((name for name in names if name in opinions), None)
        for value, estimate in score.values.items() if system is not None else ():
            if math.isfinite(estimate.value):
                table.setdefault((score.metric, score.features, value), {})[str(system)] = estimate.value
    return [
        Correlation(*key, len(column), correlations(list(column.values()), [opinions[name] for name in column]))
        for key, column in table.items()
    ]


def read_scores(paths: Sequence[Path]) -> tuple[list[tuple[Path, Score]], list[str]]:
    """Read JSON lines of `Score.to_dict`; returns rows with their files, and a line for each file left out."""
    rows, left_out = [], []
    for path in paths:
        try:
            lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
            rows += [(path, Score.from_dict(json.loads(line))) for line in lines]
        except OSError as error:
            left_out.append(f"{path}: {error.strerror or 'can not be read'}: left out")
        except (ValueError, KeyError, TypeError, AttributeError):
            left_out.append(f"{path}: not JSON lines of scores: left out")
    return rows, left_out
