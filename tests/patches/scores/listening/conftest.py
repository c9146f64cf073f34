# SPDX-License-Identifier: Apache-2.0
"""The test of two tiny networks, made once."""

from tests.patches.scores.listening.support import made, networks, sounds

__all__ = ["made", "networks", "sounds"]
