# SPDX-License-Identifier: Apache-2.0
"""The demonstration end to end, small; what it tells the user is so."""

import importlib.util
import re
import shlex
from dataclasses import fields, replace
from pathlib import Path

from examples.check_demo import check_files, read_sounds
from examples.demo import Settings, closing_words, plan
from examples.steps import ROOT, run_steps

SMALL = Settings(
    count=9,
    resolution="16x16",
    train=(
        *("--cfg=stylegan2", "--preset=tiny", "--kimg=0.032", "--tick=0.016", "--snap=1", "--batch=4"),
        *("--cbase=64", "--cmax=8", "--device=cpu"),
    ),
    seeds="0-2",
)


def test_four_steps_lead_from_notes_to_sounds_and_a_second_call_keeps_three(tmp_path: Path, capfd):
    out = tmp_path / "demo"
    taken = run_steps(plan(SMALL, out), out)
    assert all(seconds > 0 for seconds in taken.values())
    assert len(list((out / "sounds").rglob("*.wav"))) == 9
    made = sorted(path.name for path in (out / "new_sounds").iterdir())
    assert made == sorted(f"seed{seed:04d}.{suffix}" for seed in range(3) for suffix in ("json", "png", "wav"))
    judged = {row.name: row.good for row in check_files(read_sounds(out / "new_sounds"))}
    assert judged["finite"]
    assert judged["clipped samples, worst file"]

    again = run_steps(plan(SMALL, out), out)
    assert [name for name, seconds in again.items() if seconds > 0] == ["generate"]
    words = closing_words(SMALL, out, taken, 3.0)
    assert "3 new sounds" in words
    assert str(out / "new_sounds") in words
    assert re.search(r"set-up +3\.0 s\n", words)
    assert "python train.py" in capfd.readouterr().out


def test_the_three_commands_at_the_end_are_ones_that_the_scripts_understand(tmp_path: Path):
    words = closing_words(Settings(), tmp_path, {"train": 1.0}, None)
    commands = [shlex.split(line)[1:] for line in words.splitlines() if ".venv/bin/python" in line]
    assert [command[0] for command in commands] == ["dataset_tool_wav.py", "train.py", "gen_audio.py"]
    for name, *arguments in commands:
        spec = importlib.util.spec_from_file_location(f"demo_{Path(name).stem}", ROOT / name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert not module.main.make_context(name, arguments).args


def test_a_note_fills_its_share_of_a_canvas():
    assert Settings(resolution="64x32", sample_rate=8000, share=0.5).seconds == 64 * 32 / 8000


def test_whatever_is_changed_starts_the_steps_over_that_depend_on_it(tmp_path: Path):
    before = [step.settings for step in plan(Settings(), tmp_path)]
    changed = {
        "count": 99, "resolution": "64x128", "sample_rate": 16000, "seed": 1, "share": 0.5,
        "train": ("--preset=tiny",), "seeds": "0-3",
    }  # fmt: skip
    assert changed.keys() == {field.name for field in fields(Settings)}
    first = {"train": 2, "seeds": 3}
    for name, value in changed.items():
        after = [step.settings for step in plan(replace(Settings(), **{name: value}), tmp_path)]
        over = [a != b for a, b in zip(before, after, strict=True)]
        assert over == [index >= first.get(name, 0) for index in range(4)], name
