# SPDX-License-Identifier: Apache-2.0
"""Lengths of a run and of a process, as people write them: 10, +10; 5h30m."""

import re
from collections.abc import Mapping
from typing import Any

from patches.errors import UserError


def total_kimg(text: str | float, own: Mapping[str, Any] | None) -> float:
    """Read --kimg: a total, or '+10' for so much more than the run had as its goal.

    Raises:
        UserError: not a number, or '+' without a run to continue.
    """
    written = str(text)
    if not re.fullmatch(r"\+?\d+(\.\d+)?", written):
        raise UserError(f"--kimg={written}: must be a number of thousand pictures, or +N with --resume")
    if not written.startswith("+"):
        return float(written)
    if own is None:
        raise UserError(f"--kimg={written}: +N adds to a run that is resumed; give the total instead")
    return float(own["kimg"]) + float(written)


def seconds_of(text: str) -> float:
    """Read a duration: '5h30m', '45m', '90s', or seconds.

    Raises:
        UserError: not a duration.
    """
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    if not text.strip() or match is None:
        raise UserError(f"--time-limit={text}: must be a time such as 5h30m, 45m or 90s")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
