# SPDX-License-Identifier: Apache-2.0
"""Reading of the reference's .pkl snapshots without running anything that stands in them.

A .pkl is a program for a small stack machine; Python's unpickler runs it and calls whatever function it names. Here the
program is stepped through by a machine of our own (`machine`) that knows lists, dicts, numbers and text, and eleven
names (`standins`) whose *meaning as data* is written out here; any other name is refused before anything is built.
`snapshot` walks the result to flat state dicts, which `convert` turns into our networks.
"""

from stylegan3.legacy.convert import as_discriminator, as_generator
from stylegan3.legacy.snapshot import ReferenceNetwork, read_snapshot

__all__ = [
    "ReferenceNetwork",
    "as_discriminator",
    "as_generator",
    "read_snapshot",
]
