# SPDX-License-Identifier: Apache-2.0
"""Augmentations that keep a sound a sound, one family a module: level, stereo, shift, phase; luma for the record."""

from patches.augment.sound_augment import SoundAugment

__all__ = ["SoundAugment"]
