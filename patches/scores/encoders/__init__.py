# SPDX-License-Identifier: Apache-2.0
"""Encoders: sounds -> embeddings [N, d], on which scores are computed. Nothing is downloaded."""

from patches.scores.encoders.encoder import Encoder
from patches.scores.encoders.find import available, find_encoders

__all__ = ["Encoder", "available", "find_encoders"]
