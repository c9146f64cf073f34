# SPDX-License-Identifier: Apache-2.0
"""Every representation, by importing it: each registers itself."""

from spect import cmyk, lapped, logmag, representation, stereo, stft, wave

__all__ = ["cmyk", "lapped", "logmag", "representation", "stereo", "stft", "wave"]
