# SPDX-License-Identifier: Apache-2.0
"""Every representation, by importing it: each registers itself."""

from spect import cmyk, representation

__all__ = ["cmyk", "representation"]
