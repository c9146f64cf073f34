# SPDX-License-Identifier: Apache-2.0
"""Rows that may stand in one table: of one metric and one set of features, never without an anchor."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from patches.scores.rows import Score


@dataclass(frozen=True)
class Group:
    """The rows of one metric and features; `anchors` isn't empty. `networks` are in the order given."""

    metric: str
    features: str
    networks: tuple[Score, ...]
    anchors: tuple[Score, ...]

    @property
    def name(self) -> str:
        """As in "kad on log-mel 2"."""
        return " on ".join(filter(None, (self.metric, self.features)))

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of all figures, in the order in which they first come."""
        return tuple(dict.fromkeys(name for row in (*self.networks, *self.anchors) for name in row.values))


def grouped(rows: Sequence[Score], more_anchors: Iterable[Score] = ()) -> tuple[list[Group], list[str]]:
    """Sort rows by metric and features, networks before anchors.

    Args:
        rows: networks and anchors.
        more_anchors: other rows, of which only the anchors are taken.

    Returns:
        the groups that have an anchor, and the names of those that have none.
    """
    anchors = list({id(row): row for row in (*rows, *more_anchors) if row.kind == "anchor"}.values())
    found = []
    for metric, features in dict.fromkeys((row.metric, row.features) for row in rows):
        ours = [row for row in rows if (row.metric, row.features) == (metric, features) and row.kind == "network"]
        beside = [row for row in anchors if (row.metric, row.features) == (metric, features)]
        found.append(Group(metric, features, tuple(ours), tuple(beside)))
    return [group for group in found if group.anchors], [group.name for group in found if not group.anchors]
