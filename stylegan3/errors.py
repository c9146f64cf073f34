# SPDX-License-Identifier: Apache-2.0
"""The one error of this package that a person may see: a setting or a file that a network can't use."""


class NetworkError(ValueError):
    """A bad setting in one line: what was given, what is allowed, what to do."""
