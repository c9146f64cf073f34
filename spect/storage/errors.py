# SPDX-License-Identifier: Apache-2.0
"""What went wrong with an address, in one line."""


class StorageError(ValueError):
    """A file elsewhere that can't be read or written: which, why, and what to do."""
