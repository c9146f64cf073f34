# SPDX-License-Identifier: Apache-2.0
"""What a command line of train.py asks for, before anything is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from patches.conditions import parse_cond
from patches.errors import UserError
from patches.runs import elsewhere
from patches.runs import resume as resuming
from patches.runs.amounts import seconds_of
from patches.runs.options import NAMES, Resolved, resolve
from patches.runs.resume import Resume
from patches.runs.suitable import check_archive
from patches.runs.world import World
from spect.storage.address import is_address

PICKLE = ".pkl"


@dataclass(frozen=True)
class Request:
    """What a command line asks for.

    Args:
        given: options by name, None where not given.
        resume: a path, 'auto', 'latest', or None.
        since: 'auto' finds only runs that were trained after this moment, in time.time()'s seconds.
    """

    given: dict[str, Any]
    resume: str | None
    preset: str | None
    dry_run: bool
    since: float = 0.0

    @classmethod
    def of(cls, arguments: Mapping[str, Any], world: World | None = None) -> "Request":
        """Read the arguments of the script: a .pkl to resume from is one to fine-tune from.

        Args:
            world: this process's place among several, whose number is --gpus then; started again by torchrun they go
                on where they were.

        Raises:
            UserError: two that exclude each other, or a --time-limit that isn't a time.
        """
        given = {name: value for name, value in arguments.items() if name in NAMES}
        resume = arguments["resume"]
        if world is not None:
            if given["gpus"] not in (None, world.count):
                raise UserError(f"--gpus={given['gpus']}: torchrun has started {world.count} ranks; leave --gpus out")
            given["gpus"] = world.count
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
        since = 0.0
        if world is not None and world.restarts:
            if resume is None:  # a new run, which may not have been begun
                since = world.began or 0.0
            resume, given["kimg"] = _after_restart(resume, given["kimg"])
        return cls(given, resume, arguments["preset"], arguments["dry_run"], since)

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


def _after_restart(resume: str | None, kimg: Any) -> tuple[str, Any]:
    """Go on with the newest state of the run that was going on, not with the one it once began from; its end stays."""
    if resume is None:
        return "auto", kimg
    if resume.endswith(".safetensors"):
        resume = resume.rpartition("/")[0] or "."
    return resume, None if str(kimg).startswith("+") else kimg
