# SPDX-License-Identifier: Apache-2.0
"""From a request to what is trained: the run that goes on, the data, the setup; the same on all ranks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from patches.console import choose_device
from patches.errors import UserError
from patches.runs import elsewhere
from patches.runs import resume as resuming
from patches.runs.assemble import Assembly, assemble
from patches.runs.caching import check_cache
from patches.runs.directory import check_writable, runs
from patches.runs.options import Resolved, TrainOptions
from patches.runs.request import Request
from patches.runs.resume import Resume
from patches.runs.world import World
from stylegan3.training.ranks import Ranks, share_json

Prepared = tuple[Resume | None, Assembly, torch.device]
"""The run that is gone on with, what is trained, and where."""


def prepared(request: Request, world: World, ranks: Ranks) -> Prepared:
    """Find what is trained: rank 0 as the options say, the others as rank 0 has found it.

    Raises:
        UserError: what is wrong, in one line; on another rank than 0 also that its data are not rank 0's.
    """
    if ranks.rank == 0:
        source, assembly, device = prepare(request, world)
        ranks.meet()  # archives may have been brought from far away
        found = {
            "options": assembly.resolved.options.to_dict(),
            "reasons": dict(assembly.resolved.reasons),
            "digest": assembly.data_digest,
        }
        share_json(ranks, found)
        ranks.meet()
        return source, assembly, device
    ranks.meet()
    found = share_json(ranks, None)
    options = TrainOptions(**found["options"])
    device = chosen_device(world, options.device)
    assembly = assemble(Resolved(options, found["reasons"]), device, world.local_count)
    if assembly.data_digest != found["digest"]:
        raise UserError(f"rank {ranks.rank}: --data={found['options']['data']} is not the data that rank 0 has")
    check_cache(assembly.setup.dataset, options.cache, device, world.local_count)
    ranks.meet()
    return None, assembly, device


def prepare(request: Request, world: World) -> Prepared:
    """Find the run to go on with, if any, and assemble what is trained; nothing is written.

    Raises:
        UserError: what is wrong, in one line.
    """
    source = run_to_go_on_with(request, world)
    resolved = request.resolved(source.own if source else None)
    if source is None:
        elsewhere.find_names(resolved.options.outdir)
        check_writable(elsewhere.folder_of(resolved.options.outdir))
    device = chosen_device(world, resolved.options.device)
    assembly = assemble(resolved, device, world.local_count)
    check_cache(assembly.setup.dataset, resolved.options.cache, device, world.local_count)
    if source is not None:
        check_data(source, assembly)
    return source, assembly, device


def chosen_device(world: World, name: str) -> torch.device:
    """Return this rank's device, made the current one where it is one of several cards.

    Raises:
        UserError: there is no such device.
    """
    device = choose_device(world.device(name))
    if device.index is not None:
        torch.cuda.set_device(device)
    return device


def run_to_go_on_with(request: Request, world: World) -> Resume | None:
    """Find the run that --resume names, or 'auto' finds: one of the same options and data.

    Raises:
        UserError: there is no such run.
    """
    if request.resume != "auto":
        return request.source()
    outdir = request.given["outdir"]
    if outdir is not None:
        elsewhere.find_options(outdir)
        if not runs(elsewhere.folder_of(outdir)):
            return None
    kimg = request.given["kimg"]
    total = None if str(kimg).startswith("+") else kimg
    anew = replace(request, given={**request.given, "kimg": total}, resume=None).resolved()
    assembly = assemble(anew, choose_device(world.device(anew.options.device)), world.local_count)
    named = [name for name, value in request.given.items() if value is not None]
    options = assembly.resolved.options
    found = resuming.automatic(options, elsewhere.folder_of(options.outdir), assembly.data_digest, named, request.since)
    return elsewhere.with_state(options.outdir, found)


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
