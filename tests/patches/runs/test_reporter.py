# SPDX-License-Identifier: Apache-2.0
"""The tick's line, the log that outlives its reader, notes on sheets."""

import io

import pytest
import torch

from patches.errors import UserError
from patches.runs.reporter import Log, Reporter, duration, sheet_notes, tick_line
from stylegan3.training.gradients import NONFINITE
from stylegan3.training.loop import Progress

ROW = {
    "tick": 3, "kimg": 3.0, "s_per_kimg": 20.0, "G_loss": 0.7, "D_loss": 1.4, "r1": None, "sign": 0.5, "p": 0.1,
    "level_db": -3.0, "diversity": 0.9, "silent": 0.25, "memory_gb": 1.5, "seconds": 20.0, "other_seconds": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (60, "1m 00s"), (3599, "59m 59s"), (3600, "1h 00m"), (90_000, "1d 01h"), (-5, "0s")],
)
def test_times_are_told_in_two_units(seconds, text):
    assert duration(seconds) == text


def test_a_line_tells_speed_and_time_left():
    line = tick_line(ROW, 183)
    assert "20.0 s/kimg" in line
    assert "left  1h 00m" in line
    assert "r1      --" in line
    assert "silent  25%" in line
    assert "left  1h 30m" in tick_line({**ROW, "other_seconds": 10.0}, 183)  # half as long again for sheets and scores
    assert tick_line({**ROW, "r1": 0.5}, 183).index("sign") == line.index("sign")


def test_warnings_stand_in_the_line():
    assert tick_line(ROW, 10, ["collapse", "silence"]).endswith("GB  LOOK: collapse; silence")


def test_gradients_that_overflowed_stand_in_the_line_where_there_were_any():
    assert "LOOK" not in tick_line({**ROW, "nonfinite_gradients": 0.0}, 10)
    line = tick_line({**ROW, "nonfinite_gradients": 0.00123}, 10, ["collapse"])
    assert line.endswith("LOOK: collapse; 0.12% of the gradients overflowed (--precision=bf16 has more room)")


def test_a_row_has_the_largest_share_of_gradients_that_overflowed(tmp_path):
    shares = {f"{NONFINITE}G": 0.0, f"{NONFINITE}D": 0.25, "Loss/G/loss": 0.7}
    stats = {name: {"num": 4.0, "mean": mean, "std": 0.0} for name, mean in shares.items()}
    with Reporter(tmp_path, 0) as reporter:
        for told, share in ((stats, 0.25), ({}, 0.0)):
            progress = Progress(1, 1, False, 1.0, 0.0, 0.0, 1, told)
            assert reporter.row(progress, 0.0, torch.device("cpu"))["nonfinite_gradients"] == share


def test_what_was_done_to_a_sheet_is_told_where_it_can_be_heard():
    assert sheet_notes({"gain_db": -0.001, "not_finite": 0}) == []
    assert sheet_notes({"gain_db": -6.02}) == [
        "the sheet's sounds are lowered by 6.0 dB: the loudest went over full scale"
    ]
    assert "2 of the sheet's sounds" in sheet_notes({"not_finite": 2})[0]
    assert sheet_notes({"picture": None}) == []


def test_a_log_goes_on_when_nobody_reads_the_terminal_any_more(tmp_path, monkeypatch):
    silenced = []
    monkeypatch.setattr("patches.runs.reporter.silence_stdout", lambda: silenced.append(True))

    def closed(line: str) -> None:
        raise BrokenPipeError

    log = Log(tmp_path / "log.txt", closed)
    log("one")
    log.close()
    assert (tmp_path / "log.txt").read_text() == "one\n"
    assert silenced == [True]


def test_a_run_is_held_by_one_process_at_a_time(tmp_path):
    lines = io.StringIO()
    first = Log(tmp_path / "log.txt", lambda line: print(line, file=lines))
    with pytest.raises(UserError, match="another process is training this run"):
        Log(tmp_path / "log.txt", print)
    first.close()
    Log(tmp_path / "log.txt", print).close()
