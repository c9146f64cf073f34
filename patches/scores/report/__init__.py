# SPDX-License-Identifier: Apache-2.0
"""A report that a person would rather look at than read: one page with the scores, the sounds and their pictures."""

from patches.scores.report.content import Clip, Pair, Report
from patches.scores.report.page import write_report

__all__ = ["Clip", "Pair", "Report", "write_report"]
