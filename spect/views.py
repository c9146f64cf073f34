# SPDX-License-Identifier: Apache-2.0
"""Every representation, by importing it: each registers itself."""

from spect import cmyk, instfreq, lapped, logmag, mel, representation, stereo, stft, wave

__all__ = ["cmyk", "instfreq", "lapped", "logmag", "mel", "representation", "stereo", "stft", "wave"]
