# SPDX-License-Identifier: Apache-2.0
"""What is in an archive, counted."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from spect.archive.reader import Archive
from spect.archive.sets import LabelSet


@dataclass(frozen=True)
class Info:
    """Counts of an archive.

    Args:
        seconds: of the sounds, without what fills their canvases up.
        class_items: of the archive's own classes.
    """

    items: int
    holdout: int
    files: int
    seconds: float
    bytes: int
    classes: tuple[str, ...]
    class_items: tuple[int, ...]
    label_sets: tuple[LabelSet, ...]
    representation: dict[str, Any]
    preparation: dict[str, Any]
    statistics: dict[str, Any]
    digest: str


def info(archive: Archive) -> Info:
    """Count what is in an archive; its records are read once."""
    samples, files, last = 0, 0, None
    for record in archive.records():
        samples += record.get("samples", 0)
        files += record["source"] != last
        last = record["source"]
    counted = Counter(archive.labels.tolist())
    return Info(
        items=len(archive),
        holdout=len(archive.holdout),
        files=files,
        seconds=samples / archive.representation_dict["sample_rate"],
        bytes=archive.path.stat().st_size,
        classes=archive.classes,
        class_items=tuple(counted[number] for number in range(len(archive.classes))),
        label_sets=archive.label_sets,
        representation=archive.representation_dict,
        preparation=dict(archive.summary.get("preparation") or {}),
        statistics=archive.statistics,
        digest=archive.digest,
    )
