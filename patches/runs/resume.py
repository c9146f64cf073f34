# SPDX-License-Identifier: Apache-2.0
"""What --resume and --finetune name: a run and a state to go on from exactly, or weights to begin a new run with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patches.errors import UserError
from patches.runs import tensorfile
from patches.runs.directory import NETWORK, OPTIONS, STATE, Run, runs
from patches.runs.options import TrainOptions, same_run


@dataclass(frozen=True)
class Resume:
    """An exact continuation: the run's folder, its options, the state."""

    run: Run
    state: Path
    own: dict[str, Any]


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
    return Resume(run, path, run.options()["options"])


def newest(run: Run) -> Resume:
    """Return the newest state of a run.

    Raises:
        UserError: the folder is no run, or holds no state yet.
    """
    own = run.options()["options"]
    states = run.states()
    if not states:
        raise UserError(f"--resume={run.path}: no training state there yet; start anew")
    return Resume(run, states[-1], own)


def latest(outdir: Path) -> Resume:
    """Return the newest state of the newest run in a folder.

    Raises:
        UserError: there is no run with a state.
    """
    found = [run for run in runs(outdir) if run.states() and (run.path / OPTIONS).exists()]
    if not found:
        raise UserError(f"--resume=latest: no run with a training state in {outdir}; leave --resume to start one")
    return newest(found[-1])


def automatic(options: TrainOptions, digest: str) -> Resume | None:
    """Return the newest run of the same options and data in --outdir that has a state, or None: start."""
    for run in reversed(runs(Path(options.outdir))):
        if (run.path / OPTIONS).exists() and run.states():
            content = run.options()
            if content["data_digest"] == digest and same_run(options, content["options"]):
                return newest(run)
    return None
