# SPDX-License-Identifier: Apache-2.0
"""Errors that a person may see; scripts print them in one line and end with exit code 2."""

from spect.errors import SoundError
from spect.storage.errors import StorageError
from stylegan3.errors import NetworkError


class UserError(ValueError):
    """A mistake of the user's in one line: what was given, what is allowed, what to do."""


ONE_LINE_ERRORS = (UserError, SoundError, StorageError, NetworkError)
