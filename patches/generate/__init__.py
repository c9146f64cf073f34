# SPDX-License-Identifier: Apache-2.0
"""From a network snapshot and seeds to sounds on disk: what gen_audio.py does."""

from patches.generate.choices import NOISE_MODES, SUBTYPES
from patches.generate.plan import plan
from patches.generate.report import summary
from stylegan3.ops.engines import OPS

__all__ = ["NOISE_MODES", "OPS", "SUBTYPES", "plan", "summary"]
