# SPDX-License-Identifier: Apache-2.0
import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import dataset_tool_wav
from patches.dataset import command
from spect import files
from spect.archive import writer
from spect.archive.reader import Archive
from spect.dataset import build, work
from spect.dataset.parts import left_behind
from tests.spect.interrupts import SOME, interrupted

MAKERS = (command, build, writer, work, files, contextlib)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # Python drops those of a generator's end
def test_ctrl_c_at_any_line_leaves_nothing_or_parts_or_a_whole_archive(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "a.wav", 0.4 * np.sin(np.arange(300) * 0.2), 8000)
    dest = tmp_path / "new" / "deeper" / "a.zip"
    options = ["--resolution=16x16", "--sample-rate=8000", "--workers=1"]
    given = dataset_tool_wav.main.make_context("test", [f"--source={tmp_path / 'sounds'}", f"--dest={dest}", *options])
    arguments = {name: value for name, value in given.params.items() if name != "debug"}
    nothing, parts, whole = [], [], []
    for place in interrupted(MAKERS, lambda: command.make_archive(arguments, lambda lines: None)):
        if dest.exists():
            Archive.open(dest).verify()
            assert [path.name for path in dest.parent.iterdir()] == ["a.zip"], place
            shutil.rmtree(tmp_path / "new")
            whole.append(place)
            if len(whole) > SOME:
                break
        elif dest.parent.exists():
            assert [path.name for path in dest.parent.iterdir()] == ["a.zip.parts"], place
            assert left_behind(dest)[0] == 1, place
            shutil.rmtree(tmp_path / "new")
            parts.append(place)
        else:
            assert [path.name for path in tmp_path.iterdir()] == ["sounds"], place
            nothing.append(place)
    assert len(nothing) > 100
    assert len(parts) > SOME
    assert len(whole) > SOME
