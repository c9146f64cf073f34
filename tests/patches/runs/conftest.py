# SPDX-License-Identifier: Apache-2.0
from tests.patches.runs.support import archive, larger, unlabelled

__all__ = ["archive", "larger", "unlabelled"]
