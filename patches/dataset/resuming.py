# SPDX-License-Identifier: Apache-2.0
"""What is said of a build that was interrupted: that parts are there, what --resume makes of them, how to go on."""

from pathlib import Path

from spect.dataset.parts import left_behind, parts_folder
from spect.dataset.report import counted


def found(dest: Path, resume: bool, dry: bool) -> list[str]:
    """Say, before anything is done, that an earlier build has left parts and what becomes of them."""
    canvases, _ = left_behind(dest)
    folder = parts_folder(dest)
    if resume or not canvases:
        return [] if canvases or not resume else [f"--resume: {folder} isn't there; the build begins at the beginning."]
    will = "this build would begin anew" if dry else "this build begins anew and removes them"
    return [f"{folder} holds {counted(canvases, 'canvas')} of an interrupted build; {will}; --resume goes on there."]


def begun(dest: Path, fits: int, there: int, wanted: int) -> list[str]:
    """Say how much of what is there goes in."""
    if not there:
        return []
    folder, others = parts_folder(dest), "of other options, other versions of the program or sources that changed"
    if not fits:
        return [f"--resume: the {counted(there, 'canvas')} in {folder} are {others}; the build begins anew."]
    rest = f"; {there - fits} more are {others}" if there > fits else ""
    return [f"--resume: {fits} of {counted(wanted, 'canvas')} are there and go in where their hashes are right{rest}."]


def interrupted(dest: Path, resume: bool) -> list[str]:
    """Say how to go on after an interruption; nothing where nothing was finished."""
    canvases, _ = left_behind(dest)
    if not canvases:
        return []
    how = "the same command again goes on there" if resume else "the same command with --resume goes on there"
    return [f"{counted(canvases, 'canvas')} are kept in {parts_folder(dest)}: {how} (or remove it)."]
