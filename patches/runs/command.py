# SPDX-License-Identifier: Apache-2.0
"""What train.py does with its options: resolve, say them, and run."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch

from patches.console import EXIT_INTERRUPTED, EXIT_MISTAKE, progress
from patches.errors import UserError
from patches.runs.begin import begin
from patches.runs.interrupt import Stop
from patches.runs.launch import LOST, heed_launcher, launch
from patches.runs.precision import set_tf32
from patches.runs.prepare import already_there, prepared, run_to_go_on_with
from patches.runs.request import Request
from patches.runs.session import Session
from patches.runs.telling import say
from patches.runs.world import World, check_cards, joined
from stylegan3.training.ranks import LostRankError, Ranks, share_json
from stylegan3.training.trainer import NonFiniteLossError


def train(arguments: Mapping[str, Any], echo: Callable[[str], None]) -> None:
    """Train as the options say, on one rank, or as the launcher of several.

    Raises:
        UserError, SoundError, NetworkError: one line about what is wrong.
        KeyboardInterrupt: a signal before there is anything to save, or a second one.
        SystemExit: the code of a rank that failed; it has said why.
    """
    world = World.of(os.environ)
    if world is None:
        request = Request.of(arguments)
        count = ranks_wanted(request)
        if count > 1 and not request.dry_run:
            code = launch([sys.executable, *sys.argv], count, max(1, (os.cpu_count() or 1) // count), echo)
            if code:
                raise SystemExit(code)
            return
        train_on_rank({**arguments, "gpus": count}, None, echo)
        return
    heed_launcher()
    if world.rank == 0:
        train_on_rank(arguments, world, echo)
        return
    try:
        train_on_rank(arguments, world, lambda line: None)
    except NonFiniteLossError:  # rank 0 says so
        raise SystemExit(EXIT_MISTAKE) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


def ranks_wanted(request: Request) -> int:
    """Return how many ranks are to train: --gpus, or as many as the run had that goes on.

    Raises:
        UserError: there are fewer cards.
    """
    count = request.given["gpus"]
    if count is None:  # looked at on the CPU: a card's memory is the ranks'
        source = run_to_go_on_with(replace(request, given={**request.given, "device": "cpu"}), World())
        count = source.own["gpus"] if source else 1
    if count < 1:
        raise UserError(f"--gpus={count}: must be at least 1")
    if count > 1 and request.given["device"] in (None, "auto", "cuda") and torch.cuda.is_available():
        check_cards(count)
    return int(count)


def train_on_rank(arguments: Mapping[str, Any], world: World | None, echo: Callable[[str], None]) -> None:
    """Do one rank's part of a training; None: the only one, which nobody has started as such.

    Raises:
        As `train`.
    """
    here = world or World()
    with Stop(tells=here.rank == 0) as stop:
        try:
            with joined(here) as (ranks, together):
                _train(Request.of(arguments, together if world else None), together, ranks, stop, echo)
        except LostRankError as error:  # the lost one has said more, where it could say anything
            if here.rank == 0:
                print(f"train.py: another rank can't be reached ({error})", file=sys.stderr)
            raise SystemExit(LOST) from None


def _train(request: Request, world: World, ranks: Ranks, stop: Stop, echo: Callable[[str], None]) -> None:
    source, assembly, device = prepared(request, world, ranks)
    options = assembly.resolved.options
    stop.limit(options.time_limit, world.began)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = not options.nobench
        set_tf32(options.precision)
    fresh = ranks.rank == 0 and (source is None or source.state is None)
    begin_with = begin(options.finetune, assembly) if options.finetune and fresh else None
    say(assembly, source, device, echo)
    done = source.images if source else 0
    reached = share_json(ranks, already_there(options.kimg, done) if source else None)
    if reached or request.dry_run:
        echo(reached or "--dry-run: stopped before any work")
        return
    shown = progress("training", round(options.kimg * 1000), "pictures", done=done)
    with shown if ranks.rank == 0 else nullcontext(_nothing) as advance:
        Session(assembly, device, ranks, echo, stop, source, begin_with, _steps(advance, done)).run()


def _nothing(steps: int = 1) -> None:
    pass


def _steps(advance: Callable[..., None], done: int) -> Callable[[int], None]:
    """Turn a bar that is moved by steps into one that is told where the run stands."""
    shown = done

    def to(images: int) -> None:
        nonlocal shown
        advance(images - shown)
        shown = images

    return to
