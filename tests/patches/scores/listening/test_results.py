# SPDX-License-Identifier: Apache-2.0
"""From files that came back to a table and mos.json."""

import json
from pathlib import Path

import pytest

from patches.scores.listening import results
from patches.scores.listening.results import main
from patches.scores.rows import Score
from stylegan3.metrics.estimate import Estimate
from tests.patches.scores.listening.support import WANTED, answers_of, key_of


def write(path: Path, values: dict) -> str:
    path.write_text(json.dumps(values))
    return str(path)


def test_what_was_entered_is_what_is_told(made: Path, tmp_path: Path, capsys):
    key = key_of(made)
    files = [
        write(tmp_path / "a.json", answers_of(key, WANTED)),
        write(tmp_path / "b.json", answers_of(key, WANTED, "cd", device="phone")),
        write(tmp_path / "foreign.json", answers_of({**key, "test": "other"}, WANTED)),
    ]
    rows = [Score("kad", "log-mel 2", name, "network", {"kad": Estimate(6.0 - w)}, 8) for name, w in WANTED.items()]
    scores = tmp_path / "metric-kad.jsonl"
    scores.write_text("".join(json.dumps(row.to_dict()) + "\n" for row in rows))
    assert main([str(made), *files, "--scores", str(scores), "--out", str(tmp_path / "mos.json")]) == 0
    out, error = capsys.readouterr()
    result = json.loads((tmp_path / "mos.json").read_text())
    assert {one["system"]: one["mos"][0] for one in result["systems"]} == WANTED
    assert (result["listeners"], set(result["devices"])) == (2, {"headphones", "phone"})
    assert error == f"{tmp_path / 'foreign.json'}: answers to another test (other, not {key['test']}): left out\n"
    assert result["left_out"] == [error.strip()]
    assert result["correlations"][0]["spearman"][0] == pytest.approx(-1)
    assert "held-out real" in out
    assert "5.00  [5.00, 5.00]" in out
    assert "kad kad (log-mel 2): n 4  pearson -1.00" in out
    assert "no clip was heard twice" in out


def test_without_any_answers_it_says_so_and_writes_nothing(made: Path, tmp_path: Path, capsys):
    out = tmp_path / "mos.json"
    assert main([str(made), write(tmp_path / "a.json", {}), "--out", str(out)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("listening.results: no file holds answers")
    assert not out.exists()


def test_ctrl_c_is_one_line_and_130(tmp_path, monkeypatch, capsys):
    def interrupted(given):
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "run", interrupted)
    assert main([str(tmp_path), "answers.json"]) == 130
    assert capsys.readouterr().err == "listening.results: interrupted\n"
