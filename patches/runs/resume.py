# SPDX-License-Identifier: Apache-2.0
"""What --resume names: a run, and the state that it goes on from exactly."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patches.errors import UserError
from patches.runs import tensorfile
from patches.runs.directory import NETWORK, OPTIONS, STATE, Run, runs
from patches.runs.options import TrainOptions, same_run
from patches.runs.states import state_header


@dataclass(frozen=True)
class Resume:
    """An exact continuation.

    Args:
        own: the run's options.
        state: None where the run was ended before it wrote its first state: it begins again, in its folder.
    """

    run: Run
    own: dict[str, Any]
    state: Path | None

    @property
    def images(self) -> int:
        """Pictures shown so far."""
        return 0 if self.state is None else int(state_header(self.state)["images"])


def named(resume: str) -> Resume:
    """Find the run and the state that a path names: a run's folder, a training state, or a network snapshot.

    Raises:
        UserError: there is no such thing there.
    """
    path = Path(resume)
    if path.is_dir():
        return newest(Run(path))
    if not path.exists():
        raise UserError(
            f"--resume={resume}: no such file or folder; give a run, a state, a snapshot, 'auto' or 'latest'"
        )
    kind = tensorfile.read_header(path).get("kind")
    if kind == "network":
        path = path.with_name(path.name.replace(NETWORK, STATE))
        if not path.exists():
            raise UserError(
                f"--resume={resume}: there is no {path.name} beside it; use --finetune={resume} for a new run"
            )
    elif kind != "training-state":
        raise UserError(f"--resume={resume}: a file of kind '{kind}'; give a training state or a network snapshot")
    run = Run(path.parent)
    return Resume(run, run.options()["options"], path)


def newest(run: Run) -> Resume:
    """Return the newest state of a run.

    Raises:
        UserError: the folder is no run.
    """
    own = run.options()["options"]
    return Resume(run, own, next(reversed(run.states()), None))


def latest(outdir: Path) -> Resume:
    """Return the newest state of the newest run in a folder.

    Raises:
        UserError: there is no run.
    """
    found = [run for run in runs(outdir) if (run.path / OPTIONS).exists()]
    if not found:
        raise UserError(f"--resume=latest: no run in {outdir}; leave --resume to start one, or use --resume=auto")
    return newest(found[-1])


def automatic(
    options: TrainOptions, outdir: Path, digest: str, given: Collection[str], since: float = 0.0
) -> Resume | None:
    """Return the newest run of the same options and data in a folder of runs, or None: start.

    Args:
        since: pass over runs that were last begun or gone on with before, in time.time()'s seconds.
    """
    for run in reversed(runs(outdir)):
        if (run.path / OPTIONS).exists():
            content = run.options()
            same = content["data_digest"] == digest and same_run(options, content["options"], given=given)
            if same and content.get("written", 0.0) >= since:
                return newest(run)
    return None
