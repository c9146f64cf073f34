# SPDX-License-Identifier: Apache-2.0
"""What train.py does with its options: resolve, say them, and run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from patches.conditions import parse_cond
from patches.console import choose_device, progress
from patches.errors import UserError
from patches.runs import elsewhere
from patches.runs import resume as resuming
from patches.runs.amounts import seconds_of
from patches.runs.assemble import Assembly, assemble
from patches.runs.begin import beginning
from patches.runs.directory import check_writable
from patches.runs.interrupt import Stop
from patches.runs.options import NAMES, Resolved, resolve
from patches.runs.resume import Resume
from patches.runs.session import Session
from patches.runs.suitable import check_archive
from patches.views import seconds_cut
from spect.archive.sets import PRIMARY
from spect.storage.address import is_address
from stylegan3.ops import engines

PICKLE = ".pkl"


@dataclass(frozen=True)
class Request:
    """What a command line asks for.

    Args:
        given: options by name, None where not given.
        resume: a path, 'auto', 'latest', or None.
    """

    given: Mapping[str, Any]
    resume: str | None
    preset: str | None
    dry_run: bool

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Request":
        """Read the arguments of the script: a .pkl to resume from is one to fine-tune from.

        Raises:
            UserError: two that exclude each other, or a --time-limit that isn't a time.
        """
        given = {name: value for name, value in arguments.items() if name in NAMES}
        resume = arguments["resume"]
        if given["time_limit"] is not None:
            given["time_limit"] = seconds_of(given["time_limit"])
        if given["cond"] is not None:
            given["cond"] = parse_cond(given["cond"])
        if given["finetune"] and resume not in (None, "auto"):
            raise UserError(
                "--resume and --finetune: one goes on with a run, the other begins a new one; give one of them "
                "(--resume=auto goes with either)"
            )
        if resume and resume.endswith(PICKLE):
            resume, given["finetune"] = None, resume
        return cls(given, resume, arguments["preset"], arguments["dry_run"])

    def resolved(self, own: Mapping[str, Any] | None = None) -> Resolved:
        """Return the options; `own` are those of the run that is resumed.

        Raises:
            UserError: an option that is wrong, or data that --preset isn't for.
        """
        found = resolve(self.given, self.preset, own)
        if self.preset is not None:
            check_archive(self.preset, found)
        return found

    def source(self) -> Resume | None:
        """Return the run that --resume names; None where a new one starts, or 'auto' has to look at the data first.

        Raises:
            UserError: there is no such run.
        """
        if self.resume in (None, "auto"):
            return None
        if self.resume == "latest":
            outdir = self.given["outdir"]
            if outdir is None:
                raise UserError("--resume=latest: needs --outdir, the folder whose newest run goes on")
            elsewhere.find_options(outdir)
            return elsewhere.with_state(outdir, resuming.latest(elsewhere.folder_of(outdir)))
        if is_address(self.resume):
            outdir, source = elsewhere.from_address(self.resume)
            return replace(source, own={**source.own, "outdir": outdir})
        return resuming.named(str(self.resume))


def train(arguments: Mapping[str, Any], echo: Callable[[str], None]) -> None:
    """Train as the options say.

    Raises:
        UserError, SoundError, NetworkError: one line about what is wrong.
        KeyboardInterrupt: a signal before there is anything to save, or a second one.
    """
    with Stop() as stop:
        request = Request.of(arguments)
        source, assembly, device = prepare(request)
        options = assembly.resolved.options
        stop.limit(options.time_limit)
        fresh = source is None or source.state is None
        begin_with = beginning(options.finetune, assembly.recipe) if options.finetune and fresh else None
        say(assembly, source, device, echo)
        done = source.images if source else 0
        reached = already_there(options.kimg, done) if source else None
        if reached or request.dry_run:
            echo(reached or "--dry-run: stopped before any work")
            return
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = not options.nobench
            # float32 means float32: TF32 keeps 10 bits, as few as fp16. Reduced precision will be an option of its own.
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        with progress("training", round(options.kimg * 1000), "pictures", done=done) as advance:
            Session(assembly, device, echo, stop, source, begin_with, _steps(advance, done)).run()


def prepare(request: Request) -> tuple[Resume | None, Assembly, torch.device]:
    """Find the run to go on with, if any, and assemble what is trained; nothing is written.

    Raises:
        UserError: what is wrong, in one line.
    """
    source = request.source()
    if source is None and request.resume == "auto":
        source, resolved = _automatic(request)
    else:
        resolved = request.resolved(source.own if source else None)
    if source is None:
        elsewhere.find_names(resolved.options.outdir)
        check_writable(elsewhere.folder_of(resolved.options.outdir))
    device = choose_device(resolved.options.device)
    assembly = assemble(resolved, device)
    if source is not None:
        check_data(source, assembly)
    return source, assembly, device


def _automatic(request: Request) -> tuple[Resume | None, Resolved]:
    """Look for a run of these options and data."""
    kimg = request.given["kimg"]
    total = None if str(kimg).startswith("+") else kimg
    anew = Request({**request.given, "kimg": total}, None, request.preset, request.dry_run).resolved()
    assembly = assemble(anew, choose_device(anew.options.device))
    named = [name for name, value in request.given.items() if value is not None]
    elsewhere.find_options(anew.options.outdir)
    options = assembly.resolved.options
    source = resuming.automatic(options, elsewhere.folder_of(options.outdir), assembly.data_digest, named)
    source = elsewhere.with_state(anew.options.outdir, source)
    return source, request.resolved(source.own if source else None)


def check_data(source: Resume, assembly: Assembly) -> None:
    """See that a run goes on with the data that it began with.

    Raises:
        UserError: it is other data, and how it differs.
    """
    try:
        was = _data_facts(source.run.options())
    except KeyError as error:
        raise UserError(
            f"--resume: {source.run.path}/training_options.json lacks {error}: it is of another version"
        ) from error
    now = _data_facts(assembly.to_dict())
    if was["hash"] == now["hash"]:
        return
    differ = [f"{name} {now[name]}, not {was[name]}" for name in now if now[name] != was[name]]
    raise UserError(
        f"--resume: {assembly.resolved.options.data} is not the data that {source.run.path} learns from "
        f"({'; '.join(differ)}); give --data=ITS PLACE, or --finetune={source.run.path} for a new run"
    )


def _data_facts(content: Mapping[str, Any]) -> dict[str, Any]:
    shape = "x".join(str(size) for size in content["generator"]["shape"])
    return {"shape": shape, "items": content["data_items"], "hash": content["data_digest"][:16]}


def already_there(kimg: float, images: int) -> str | None:
    """Say that a run has reached its goal and how to go further; None where it hasn't."""
    if images < kimg * 1000:
        return None
    done, more = images / 1000, kimg or 1.0
    return (
        f"--kimg={kimg:g} is reached already ({done:g} kimg); "
        f"to go further: --kimg={max(kimg, done) + more:g} in all, or --kimg=+{more:g}"
    )


def say(assembly: Assembly, source: Resume | None, device: torch.device, echo: Callable[[str], None]) -> None:
    """Tell every option with the reason where it was chosen, the data, the view and the patches."""
    options, reasons = assembly.resolved.options.to_dict(), assembly.resolved.reasons
    echo("Options:")
    for name, value in options.items():
        reason = f"  ({reasons[name]})" if name in reasons else ""
        echo(f"  --{name.replace('_', '-'):<12} {value!s:<24}{reason}".rstrip())
    setup = assembly.setup
    shape = "x".join(str(size) for size in setup.dataset.shape)
    echo(f"Data: {len(setup.dataset)} pictures of {shape}, {_told_labels(assembly)}; device: {device}")
    echo(f"Operations: {engines.told(device, setup.ops)}")
    if assembly.canvases:
        view = assembly.canvases.view
        for condition, bare in zip(assembly.canvases.conditions.sets, assembly.canvases.unlabelled, strict=True):
            echo(f"  condition {condition.told()}" + (f"; {bare} pictures have none" if bare else ""))
        seconds, cut = view.samples / view.sample_rate, seconds_cut(view, assembly.canvases.archive.representation)
        echo(
            f"View: {view.name}, {view.scaling.name} scaling; {seconds:.2f} s of sound at {view.sample_rate} Hz each"
            + f"; {cut:.3g} s at their ends are cut off" * (cut > 0)
        )
        made = view.representation.to_dict().items()
        echo(f"  {', '.join(f'{name}={value}' for name, value in made if name not in ('name', 'sample_rate'))}")
    echo(f"Patches: {', '.join(assembly.recipe.applied) or 'none'}")
    if source is not None:
        echo(f"Going on from {source.state or source.run.path}")
        newer = sorted(path.name for path in source.run.newer_than(source.state))
        if newer:
            echo(f"  {len(newer)} newer files will be removed, that part is trained again: {', '.join(newer[:6])}")
    elif options["finetune"]:
        echo(f"Fine-tuning: a new run that begins with the weights of {options['finetune']}")


def _told_labels(assembly: Assembly) -> str:
    data, size = assembly.canvases, assembly.setup.dataset.c_dim
    plain = data is None or [one.name for one in data.conditions.sets] in ([], [PRIMARY])
    return f"{size} classes" if plain else f"a condition of {size} numbers"


def _steps(advance: Callable[..., None], done: int) -> Callable[[int], None]:
    """Turn a bar that is moved by steps into one that is told where the run stands."""
    shown = done

    def to(images: int) -> None:
        nonlocal shown
        advance(images - shown)
        shown = images

    return to
