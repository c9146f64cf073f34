# SPDX-License-Identifier: Apache-2.0
"""The one error of this package that a person may see: a sound, a picture or an archive that can't be used."""


class SoundError(ValueError):
    """A bad input in one line: what was given, what is allowed, what to do."""
