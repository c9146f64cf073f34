# SPDX-License-Identifier: Apache-2.0
"""Every representation, by importing it: each registers itself."""

from spect import cmyk, lapped, representation, stft, wave

__all__ = ["cmyk", "lapped", "representation", "stft", "wave"]
