# SPDX-License-Identifier: Apache-2.0
"""What dataset.json says of several archives' items together."""

from collections.abc import Sequence
from typing import Any

from spect.archive.reader import Archive
from spect.archives.alike import differences


def common(archives: Sequence[Archive]) -> dict[str, Any]:
    """Give representation, preparation (what they share of it) and share held out (None where they differ)."""
    shares = {archive.summary.get("holdout") for archive in archives}
    return {
        "representation": archives[0].representation_dict,
        "preparation": _shared(archives),
        "holdout": shares.pop() if len(shares) == 1 else None,
    }


def _shared(archives: Sequence[Archive]) -> dict[str, Any]:
    first = dict(archives[0].summary.get("preparation") or {})
    return {**first, **dict.fromkeys(differing(archives), None)}


def differing(archives: Sequence[Archive]) -> list[str]:
    """Name what the archives' sounds were prepared differently in."""
    made = [archive.summary.get("preparation") or {} for archive in archives]
    return sorted({name for other in made for name, _, _ in differences(made[0], other)})
