# SPDX-License-Identifier: Apache-2.0
"""Whether an archive is one that a preset's view and labels suit; what to do where it isn't, in one line."""

from patches.data import is_there, open_data
from patches.errors import UserError
from patches.presets import Preset, preset
from patches.runs.options import Resolved
from patches.views import parse_arguments, suited
from spect.cmyk import Cmyk
from spect.errors import SoundError


def check_archive(name: str, resolved: Resolved) -> None:
    """Refuse an archive that a preset isn't for; what was given by hand instead of the preset's is the giver's matter.

    Raises:
        UserError: its sounds have another rate or are too short for the preset's view, or it lacks labels.
    """
    row, options = preset(name), resolved.options
    if options.patches.lower() == "none" or not is_there(options.data):
        return  # told where it is opened
    try:
        archive = open_data(options.data)
    except SoundError:
        return  # likewise
    its_own = {key for key, reason in resolved.reasons.items() if reason == f"from --preset={name}"}
    remedy = f"make one with dataset_tool_wav.py --source=SOUNDS --dest=ARCHIVE.zip {row.archive_options}"
    if {"view", "view_args"} <= its_own and not _fits(row, archive.representation):
        raise UserError(
            f"--preset={name}: is for an archive of {row.resolution} at {row.sample_rate} Hz, {options.data} is "
            f"{_told(archive.representation)}: {remedy}; or give --view-args of your own"
        )
    if options.cond and "cond" in its_own and not archive.label_sets:
        raise UserError(f"--preset={name}: learns labels, {options.data} has none: {remedy}; or give --cond=0")


def _fits(row: Preset, stored: Cmyk) -> bool:
    if row.sample_rate is None:
        return True
    try:
        suited(row.view, stored, parse_arguments(row.view_args))
    except SoundError:
        return False
    return stored.sample_rate == row.sample_rate


def _told(stored: Cmyk) -> str:
    return f"{stored.rows}x{stored.frames} at {stored.sample_rate} Hz ({stored.samples / stored.sample_rate:.2f} s)"
