# SPDX-License-Identifier: Apache-2.0
"""What networks learn from: one view a module, each a `Kind` that registers itself by its representation's name."""

from patches.views import cmyk, instfreq, lapped, logmag, mel, stereo, stft, wave  # noqa: F401  (each registers itself)
from patches.views.choice import choose
from patches.views.view import KINDS, Kind, View, kind_of, register, seconds_cut, suited
from spect.representation import parse_arguments

__all__ = [
    "KINDS",
    "Kind",
    "View",
    "choose",
    "kind_of",
    "parse_arguments",
    "register",
    "seconds_cut",
    "suited",
]
