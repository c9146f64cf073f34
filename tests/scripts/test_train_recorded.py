# SPDX-License-Identifier: Apache-2.0
"""train.py where phases are recorded and replayed: it says so, and the run is the one it would have been."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from patches.runs import session
from stylegan3.training import recorded
from tests.patches.runs.support import archive, call, only_run
from tests.stylegan3.training.tape import Tapes

__all__ = ["archive"]


def test_a_run_says_what_it_replays(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"data": archive, "ops": "reference", "aug": "fixed", "p": 0.5, "cond": 1, "kimg": 0.08}
    options |= {"tick": 0.04, "metrics": "none"}
    call(outdir=tmp_path / "plain", **options)
    monkeypatch.setattr(recorded, "MARGIN", 0.0)
    monkeypatch.setattr(session, "recorder_for", lambda device: Tapes())
    out = call(outdir=tmp_path / "replayed", **options)
    runs = [only_run(tmp_path / name) for name in ("plain", "replayed")]
    log = (runs[1] / "log.txt").read_text()
    for phase in ("G main", "D main"):
        assert f"{phase}, augmented: recorded, " in out
        assert f"{phase}, augmented: recorded, " in log
    one, other = (load_file(run / "network-snapshot-000000.080.safetensors") for run in runs)
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert float((other[name] - value).norm()) <= 1e-4 * float(value.norm()) + 1e-6, name
