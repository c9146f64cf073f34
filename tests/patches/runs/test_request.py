# SPDX-License-Identifier: Apache-2.0
"""What a rank makes of a command line: torchrun's number, and where it goes on after a restart."""

import subprocess
import sys
import time

import click
import pytest

import train as script
from patches.errors import UserError
from patches.runs.request import Request
from patches.runs.world import World

TELL = """
import subprocess, sys
place = {"RANK": "0", "WORLD_SIZE": "1", "TORCHELASTIC_RUN_ID": "a"}
child = f"from patches.runs.world import World; print(World.of({place}).began)"
print(subprocess.run([sys.executable, "-c", child], check=True, capture_output=True, text=True).stdout)
"""


def asked(world: World | None, *words: str) -> Request:
    return Request.of(click.Context(script.main).command.make_context("train.py", list(words)).params, world)


@pytest.mark.parametrize(
    ("words", "resume", "kimg", "finetune"),
    [
        ([], "auto", None, None),
        (["--resume=auto"], "auto", None, None),
        (["--resume=runs/00003-a"], "runs/00003-a", None, None),
        (["--resume=runs/00003-a/training-state-000100.safetensors"], "runs/00003-a", None, None),
        (["--resume=s3://b/00003-a/network-snapshot-000100.safetensors"], "s3://b/00003-a", None, None),
        (["--resume=runs/00003-a", "--kimg=+10"], "runs/00003-a", None, None),
        (["--resume=runs/00003-a", "--kimg=10"], "runs/00003-a", "10", None),
        (["--resume=net.pkl"], "auto", None, "net.pkl"),
        (["--finetune=runs/00001-b"], "auto", None, "runs/00001-b"),
    ],
)
def test_after_a_restart_a_run_goes_on_where_it_was(words, resume, kimg, finetune):
    found = asked(World(0, 2, 0, 2, restarts=1), *words)
    assert (found.resume, found.given["kimg"], found.given["finetune"]) == (resume, kimg, finetune)
    assert found.given["gpus"] == 2


def test_a_new_run_that_is_started_again_is_none_that_was_there_before():
    began = World(0, 2, 0, 2, restarts=1, began=123.0)
    assert [asked(began, *words).since for words in ([], ["--finetune=a"], ["--resume=auto"], ["--resume=b"])] == [
        123.0, 123.0, 0.0, 0.0,
    ]  # fmt: skip
    assert asked(World(0, 2, 0, 2, began=123.0)).since == 0.0


def test_torchruns_beginning_is_that_of_the_process_above():
    before = time.time()
    with subprocess.Popen([sys.executable, "-c", TELL], stdout=subprocess.PIPE, text=True) as process:
        told = float(process.communicate()[0])
    assert before - 1 <= told <= time.time()


def test_without_a_restart_it_is_as_asked():
    found = asked(World(0, 2, 0, 2), "--resume=a/training-state-000100.safetensors", "--kimg=+10")
    assert (found.resume, found.given["kimg"]) == ("a/training-state-000100.safetensors", "+10")


def test_another_number_than_torchruns_is_refused():
    with pytest.raises(UserError, match="--gpus=4: torchrun has started 2 ranks; leave --gpus out"):
        asked(World(0, 2, 0, 2), "--gpus=4")


def test_the_world_is_read_as_torchrun_tells_it():
    told = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "2"}
    assert World.of({**told, "TORCHELASTIC_RESTART_COUNT": "5"}) == World(3, 4, 1, 2, 5, 2)
    assert World.of({}) is None
    for wrong in ({"RANK": "4"}, {"RANK": "x"}):
        with pytest.raises(UserError, match="RANK"):
            World.of({**told, **wrong})


def test_each_rank_has_a_card_of_its_own(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    world = World(3, 4, 1, 2)
    assert [world.device(name) for name in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]
    with pytest.raises(UserError, match="--device=cuda:0: each of 4 ranks takes a card of its own"):
        world.device("cuda:0")
    assert World().device("cuda:1") == "cuda:1"
    with pytest.raises(UserError, match="--gpus=3: this machine has 2; give --gpus=2, or --device=cpu"):
        World(0, 3, 0, 3).device("auto")
