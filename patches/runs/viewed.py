# SPDX-License-Identifier: Apache-2.0
"""Which view a run learns: chosen where that was left to us, and checked before the archive is looked through."""

from collections.abc import Callable
from typing import TypeVar

from patches.data import here, is_there
from patches.errors import UserError
from patches.runs.options import Resolved, TrainOptions
from patches.series import SERIES
from patches.views import KINDS, choose, kind_of, parse_arguments, suited
from spect.archives.opening import open_archives
from spect.errors import SoundError
from spect.representation import trainable, typed_arguments
from stylegan3.errors import NetworkError

Opened = TypeVar("Opened")


def with_view(resolved: Resolved) -> Resolved:
    """Choose the view and its scaling where that was left to us and the data are sounds.

    Raises:
        UserError, SoundError: the archive's sounds don't fit the view.
    """
    options = resolved.options
    if options.patches.lower() == "none" or not is_there(options.data):
        return resolved  # plain pictures have no view; what is no file is told when it is opened
    check_view(options)
    arguments = parse_arguments(options.view_args)
    stored = opened(options, lambda data: open_archives(data).representation)
    if options.view == "auto":
        scaling = None if options.scaling == "auto" else options.scaling
        name, reason = choose(stored, scaling, arguments)
        resolved = resolved.with_choice("view", name, reason)
    name = resolved.options.view
    if options.scaling == "auto":
        resolved = resolved.with_choice("scaling", kind_of(name).scaling, "the view's")
    if "view" in patch_names(options):
        # before the whole archive is looked at for its statistics
        check_learnable(name, opened(options, lambda _: suited(name, stored, arguments).shape))
    return resolved


def check_view(options: TrainOptions) -> None:
    """Check what can be told of --view, --view-args and --scaling without the data.

    Raises:
        UserError, SoundError: a name that doesn't exist, or a parameter that isn't the view's.
    """
    scalings = dict.fromkeys(name for kind in KINDS.values() for name in kind.scalings)
    if options.scaling not in ("auto", *scalings):
        raise UserError(f"--scaling: got {options.scaling!r}; allowed: auto, {', '.join(scalings)}")
    if options.view == "auto":
        return
    if options.view not in KINDS:
        raise UserError(f"--view: got {options.view!r}; allowed: auto, {', '.join(sorted(KINDS))}")
    typed_arguments(kind_of(options.view).cls, parse_arguments(options.view_args))


def check_learnable(view: str, shape: tuple[int, int, int]) -> None:
    """Refuse pictures that no StyleGAN learns.

    Raises:
        UserError: saying what to do about it.
    """
    channels, rows, frames = shape
    if not trainable(rows, frames):
        raise UserError(
            f"--view={view}: its pictures are {channels}x{rows}x{frames} here; a StyleGAN's have a smaller side that "
            "is a power of two from 16 up and a larger that is a multiple of it: choose another --view or --view-args"
        )


def opened(options: TrainOptions, how: Callable[[str], Opened]) -> Opened:
    """Open --data.

    Raises:
        UserError: what the file is instead.
    """
    try:
        return how(here(options.data))
    except (SoundError, NetworkError) as error:
        raise UserError(f"--data={options.data}: {str(error).removeprefix(f'{options.data}: ')}") from error


def patch_names(options: TrainOptions) -> tuple[str, ...]:
    """Return the patches that --patches names; none where it is 'none'."""
    given = options.patches
    if given.lower() == "none":
        return ()
    return tuple(SERIES) if given.lower() == "sound" else tuple(given.split(","))
