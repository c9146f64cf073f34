# SPDX-License-Identifier: Apache-2.0
"""Answers are read as given; what can't be used is named and left out."""

import json
from pathlib import Path

import pytest

from patches.errors import UserError
from patches.scores.listening.answers import Answer, Key, parse, read_answers, read_key

KEY = Key("t1", {"a": "network", "b": "anchor"}, {"c1": "a", "c2": "b"})


def text(**more) -> str:
    values = {"kind": "sg3-spect listening answers", "version": 1, "test": "t1", "listener": "x", "device": "laptop"}
    trials = [{"clip": "c1", "rating": 4}, {"clip": "c2", "rating": 2}, {"clip": "c1", "rating": 3}]
    return json.dumps({**values, "trials": trials, **more})


def test_a_clips_second_time_is_its_repeat():
    answer = parse(text(), KEY)
    assert answer == Answer("x", "laptop", (("c1", 4), ("c2", 2), ("c1", 3)))
    assert answer.first == {"c1": 4, "c2": 2}
    assert answer.repeats == ((4, 3),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "no answers of a listening test"),
        (text(kind="x"), "no answers of a listening test"),
        (text(version=2), "of version 2"),
        (text(test="t2"), "another test (t2, not t1)"),
        (text(device="radio"), "unknown device"),
        (text(listener=7), "no listener"),
        (text(trials=[]), "no ratings"),
        (text(trials=[{"clip": "c9", "rating": 3}]), "a clip that the test doesn't have"),
        (text(trials=[{"clip": ["c1"], "rating": 3}]), "a clip that the test doesn't have"),
        (text(trials=[{"clip": "c1", "rating": 6}]), "a rating of 6"),
        (text(trials=[{"clip": "c1", "rating": True}]), "a rating of True"),
        (text(trials=["c1"]), "a clip that the test doesn't have"),
    ],
)
def test_broken_and_foreign_files_are_named_and_the_rest_is_used(tmp_path: Path, content: str, message: str):
    (tmp_path / "bad.json").write_text(content)
    (tmp_path / "good.json").write_text(text())
    answers, left_out = read_answers([tmp_path / "bad.json", tmp_path / "good.json"], KEY)
    assert [one.listener for one in answers] == ["x"]
    assert len(left_out) == 1
    assert left_out[0].startswith(str(tmp_path / "bad.json"))
    assert message in left_out[0]


def test_files_that_are_no_text_or_not_there_are_named(tmp_path: Path):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    _, left_out = read_answers([tmp_path / "bytes.json", tmp_path / "none.json"], KEY)
    assert "not JSON" in left_out[0]
    assert "No such file" in left_out[1]


def test_of_two_files_by_one_listener_the_fuller_is_used(tmp_path: Path):
    few, full = tmp_path / "few.json", tmp_path / "full.json"
    few.write_text(text(trials=[{"clip": "c1", "rating": 1}]))
    full.write_text(text())
    for order in ([few, full], [full, few]):
        answers, left_out = read_answers(order, KEY)
        assert [len(one.heard) for one in answers] == [3]
        assert left_out == [f"{few}: the same listener's as {full}, which is used: left out"]


def test_a_folder_without_a_key_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="give the folder"):
        read_key(tmp_path)
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(UserError, match="not a listening test's key"):
        read_key(tmp_path)
