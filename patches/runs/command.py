# SPDX-License-Identifier: Apache-2.0
"""What train.py does with its options: resolve, say them, and run."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from patches.console import choose_device, progress
from patches.errors import UserError
from patches.runs import resume as resuming
from patches.runs.assemble import Assembly, assemble
from patches.runs.begin import beginning
from patches.runs.options import Resolved, resolve, seconds_of
from patches.runs.resume import Resume
from patches.runs.session import Session, already_there
from patches.runs.states import read_state


def train(given: Mapping[str, Any], echo: Callable[[str], None]) -> None:
    """Train as the options say.

    Raises:
        UserError, SoundError, NetworkError: one line about what is wrong.
    """
    given = dict(given)
    resume, finetune, preset = given.pop("resume"), given.pop("finetune"), given.pop("preset")
    dry_run = given.pop("dry_run")
    if given["time_limit"] is not None:
        given["time_limit"] = seconds_of(given["time_limit"])
    if resume and finetune:
        raise UserError("--resume and --finetune: one goes on with a run, the other begins a new one; give one of them")
    if resume and resume.endswith(".pkl"):
        resume, finetune = None, resume
    source, resolved = _source(given, resume, preset)
    device = choose_device(resolved.options.device)
    assembly = assemble(resolved, device)
    if resume == "auto":
        source = resuming.automatic(resolved.options, assembly.data_digest)
        if source is not None:
            resolved = resolve(given, preset, source.own)
            assembly = assemble(resolved, device)
    if source is not None:
        _check_data(source, assembly)
    begin_with = beginning(finetune, assembly.recipe) if finetune else None
    _say(assembly, source, device, echo)
    done = _images(source)
    said = already_there(resolved.options.kimg, done) if source else None
    if said or dry_run:
        echo(said or "--dry-run: stopped before any work")
        return
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = not resolved.options.nobench
    with ExitStack() as stack:
        goal = round(assembly.resolved.options.kimg * 1000)
        advance = stack.enter_context(progress("training", goal, "pictures"))
        Session(assembly, device, _above_bar(echo), source, begin_with, _advancing(advance, done)).run()


def _source(given: Mapping[str, Any], resume: str | None, preset: str | None) -> tuple[Resume | None, Resolved]:
    if resume in (None, "auto"):
        return None, resolve(given, preset)
    if resume == "latest":
        if given["outdir"] is None:
            raise UserError("--resume=latest: needs --outdir, the folder whose newest run goes on")
        source = resuming.latest(Path(given["outdir"]))
    else:
        source = resuming.named(str(resume))
    return source, resolve(given, preset, source.own)


def _check_data(source: Resume, assembly: Assembly) -> None:
    was = source.run.options()["data_digest"]
    if was != assembly.data_digest:
        raise UserError(
            f"--resume: {assembly.resolved.options.data} is not the data that {source.run.path} learns from "
            f"(hash {assembly.data_digest[:12]}, not {was[:12]}); give --data=ITS PLACE, or --finetune for a new run"
        )


def _images(source: Resume | None) -> int:
    return 0 if source is None else int(read_state(source.state)[1]["images"])


def _say(assembly: Assembly, source: Resume | None, device: torch.device, echo: Callable[[str], None]) -> None:
    options, reasons = assembly.resolved.options.to_dict(), assembly.resolved.reasons
    echo("Options:")
    for name, value in options.items():
        reason = f"  ({reasons[name]})" if name in reasons else ""
        echo(f"  --{name.replace('_', '-'):<12} {value!s:<24}{reason}".rstrip())
    setup = assembly.setup
    shape = "x".join(str(size) for size in setup.dataset.shape)
    echo(f"Data: {len(setup.dataset)} pictures of {shape}, {setup.dataset.c_dim} classes; device: {device}")
    if assembly.canvases:
        view = assembly.canvases.view
        seconds = view.samples / view.sample_rate
        echo(f"View: {view.name}, {view.scaling.name} scaling; {seconds:.2f} s of sound at {view.sample_rate} Hz each")
    echo(f"Patches: {', '.join(assembly.recipe.applied) or 'none'}")
    if source is not None:
        echo(f"Going on from {source.state}")


def _above_bar(echo: Callable[[str], None]) -> Callable[[str], None]:
    return echo


def _advancing(advance: Callable[..., None], done: int) -> Callable[[int], None]:
    shown = 0

    def to(images: int) -> None:
        nonlocal shown
        advance(images - shown)
        shown = images

    return to
