# SPDX-License-Identifier: Apache-2.0
"""Whether archives may stand together: one representation, and no archive twice."""

from collections.abc import Mapping, Sequence
from typing import Any

from spect.archive.reader import Archive
from spect.errors import SoundError


def check_alike(archives: Sequence[Archive]) -> None:
    """Refuse archives that can't be one dataset.

    Raises:
        SoundError: naming every parameter in which the first differs from another, or the archive that comes twice.
    """
    first, seen = archives[0], dict[str, Archive]()
    for archive in archives:
        differing = differences(first.representation_dict, archive.representation_dict)
        if differing:
            theirs = ", ".join(f"{name} {other}" for name, _, other in differing)
            ours = ", ".join(f"{name} {one}" for name, one, _ in differing)
            raise SoundError(
                f"{archive.path} has {theirs}, where {first.path} has {ours}: archives that go together have one "
                "representation; build one of them again with the other's parameters"
            )
        if archive.digest in seen:
            raise SoundError(f"{seen[archive.digest].path} and {archive.path} are the same archive; give it once")
        seen[archive.digest] = archive


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Name the parameters whose values differ, with both."""
    names = sorted({*one, *other})
    return [(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)]
