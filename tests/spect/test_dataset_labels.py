# SPDX-License-Identifier: Apache-2.0
"""Classes from folders and tables; which files and targets are taken; what is proposed; the list of skipped files."""

import csv
import json
from pathlib import Path

import pytest

from spect.cmyk import Cmyk
from spect.dataset.labels import NONE, Asked, label, of_names
from spect.dataset.options import Preparation
from spect.dataset.scan import Facts
from spect.dataset.select import check_dest, select
from spect.dataset.skipped import write_skipped
from spect.dataset.sources import Source
from spect.dataset.survey import fit, propose, survey
from spect.errors import SoundError

NAMES = ["hat/a.wav", "kick/b.wav", "kick/deep/c.wav", "loose.wav"]
PAPER = Preparation(Cmyk())


def source(path: Path) -> Source:
    for name in NAMES:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return Source(path, "folder")


def files(seconds: list[float], rate: int = 44100) -> list[Facts]:
    return [Facts(f"{n}.wav", None, rate, 1, round(length * rate), 0.5) for n, length in enumerate(seconds)]


# labels


def test_classes_are_the_top_folders_sorted(tmp_path: Path) -> None:
    found = label("folders", source(tmp_path), NAMES)
    assert found.classes == ("hat", "kick")
    assert found.numbers == {"hat/a.wav": 0, "kick/b.wav": 1, "kick/deep/c.wav": 1}
    assert label("none", source(tmp_path), NAMES) == NONE


def test_whole_numbers_are_sorted_by_value() -> None:
    assert of_names({"x": "10", "y": "9", "z": "2"}).classes == ("2", "9", "10")
    assert of_names({"x": "10", "y": "9", "z": "b"}).classes == ("10", "9", "b")


@pytest.mark.parametrize(
    "table",
    [
        "file,class\nhat/a.wav,soft\nloose.wav,hard\n",
        "hat/a.wav,soft\nloose.wav,hard\n",
        "\ufeffclass;file\nsoft;hat/a.wav\nhard;loose.wav\n",
        "path\tlicence\tlabel\nhat\\a.wav\tCC0\tsoft\n./loose.wav\tCC0\thard\n",
        "file,class\na.wav,soft\nloose.wav,hard\nb.wav,\n",
        'note,file,class\n"two\nlines",hat/a.wav,soft\n\x0b\u2028,loose.wav,hard\n',
        json.dumps({"hat/a.wav": "soft", "loose.wav": "hard", "kick/b.wav": None}),
        json.dumps([["a.wav", "soft"], ["loose.wav", "hard"]]),
        json.dumps([{"file": "hat/a.wav", "class": "soft"}, {"file": "loose.wav", "class": "hard"}]),
        json.dumps({"labels": [["hat/a.wav", "soft"], ["loose.wav", "hard"]]}),
    ],
)
def test_tables_are_read_in_the_spellings_people_use(tmp_path: Path, table: str) -> None:
    path = tmp_path / ("t.json" if table[0] in "[{" else "t.csv")
    path.write_text(table, encoding="utf-8")
    found = label(str(path), source(tmp_path / "s"), NAMES)
    assert found.classes == ("hard", "soft")
    assert found.numbers == {"hat/a.wav": 1, "loose.wav": 0}


def test_a_table_beside_the_folder_names_files_by_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,class\ns/kick/b.wav,k\ns/gone.wav,k\n")
    found = label(str(tmp_path / "t.csv"), source(tmp_path / "s"), NAMES)
    assert (found.numbers, found.unmatched) == ({"kick/b.wav": 0}, ("s/gone.wav",))


@pytest.mark.parametrize(
    ("choice", "content", "said"),
    [
        ("folder", None, "allowed are none, folders"),
        ("t.csv", None, "doesn't exist"),
        ("t.csv", "file\na.wav\n", "two columns"),
        ("t.csv", "", "two columns"),
        ("t.csv", "other.wav,x\n", "names a file of --source"),
        ("t.json", "{", "not JSON"),
        ("t.json", "[1, 2]", "holds neither"),
    ],
)
def test_other_labels_are_refused_with_what_is_allowed(
    tmp_path: Path, choice: str, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / choice).write_text(content)
    with pytest.raises(SoundError, match=f"--labels.*{said}") as caught:
        label(str(tmp_path / choice) if "." in choice else choice, source(tmp_path / "s"), NAMES)
    assert "\n" not in str(caught.value)


def test_labels_by_folders_need_folders(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match="has no folders with sounds"):
        label("folders", source(tmp_path), ["loose.wav"])


# selection


def test_include_keeps_classes_and_max_files_is_spread_over_the_list(tmp_path: Path) -> None:
    for number in range(10):
        for kind in ("hat", "kick", "snare"):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f"{number}.wav").touch()
    chosen = select(tmp_path, Asked(("folders",)), "kick, snare", 4)
    assert chosen.names == ("kick/0.wav", "kick/5.wav", "snare/0.wav", "snare/5.wav")
    assert chosen.left_out == 26
    assert chosen.labels.keep(chosen.names).classes == ("kick", "snare")


@pytest.mark.parametrize(
    ("labels", "include", "said"),
    [
        ("none", "kick", "add --labels"),
        ("folders", "kik", "there are hat, kick"),
        ("folders", ",", "no class was named"),
    ],
)
def test_an_include_that_can_not_be_is_refused(tmp_path: Path, labels: str, include: str, said: str) -> None:
    source(tmp_path)
    with pytest.raises(SoundError, match=f"--include.*{said}"):
        select(tmp_path, Asked((labels,)), include, None)


def test_targets_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK precious")
    for dest, said in (("photos.zip", "isn't an archive of this tool"), ("", "is a folder"), ("a.npz", "ends in .zip")):
        with pytest.raises(SoundError, match=f"--dest.*{said}"):
            check_dest(tmp_path / "sounds", tmp_path / dest)
    with pytest.raises(SoundError, match="is --source itself"):
        check_dest(tmp_path / "photos.zip", tmp_path / "photos.zip")
    with pytest.raises(SoundError, match="are free"):
        check_dest(tmp_path / "sounds", tmp_path / "deep" / "new.zip", 10**18)
    check_dest(tmp_path / "sounds", tmp_path / "deep" / "new.zip", 1000)


# what is proposed


def test_kicks_get_a_canvas_that_holds_95_percent_of_them_whole() -> None:
    kicks = files([0.3] * 96 + [5.0] * 4)
    proposed = propose(kicks, PAPER)
    assert proposed is not None
    shape = proposed.representation
    assert (shape.rows, shape.frames, shape.sample_rate) == (64, 128, 44100)
    assert fit(kicks, proposed).whole == pytest.approx(0.96)
    assert fit(kicks, PAPER).full < 0.05 < 0.6 < fit(kicks, proposed).full


def test_recordings_at_8_khz_are_proposed_to_stay_there() -> None:
    proposed = propose(files([0.9] * 20, rate=8000), PAPER)
    assert proposed is not None
    assert proposed.representation == Cmyk(sample_rate=8000, rows=64, frames=64)


def test_a_few_low_rates_do_not_take_the_treble_from_the_rest() -> None:
    mixed = [*files([0.9] * 8, rate=8000), *files([0.9] * 2)]
    proposed = propose(mixed, PAPER)
    assert proposed is not None
    assert proposed.representation.sample_rate == 44100


def test_long_recordings_are_proposed_to_be_sliced() -> None:
    proposed = propose(files([300.0] * 10), PAPER)
    assert proposed is not None
    assert (proposed.slice, proposed.stride) == (True, 524288)


def test_nothing_is_proposed_where_all_is_well() -> None:
    assert propose(files([10.0] * 20), PAPER) is None
    assert propose([], PAPER) is None


def test_a_fit_counts_what_falls_off_the_end() -> None:
    found = fit(files([20.0, 2.0]), PAPER)
    assert found.lost_seconds == pytest.approx(20 - 524288 / 44100, abs=1e-3)
    assert (found.canvases, found.whole) == (2, 0.5)
    sliced = fit(files([20.0, 2.0]), Preparation(Cmyk(), slice=True, stride=524288))
    assert (sliced.canvases, sliced.whole, sliced.lost_seconds) == (3, 1.0, 0.0)


def test_a_survey_counts_short_clipped_and_loud_files() -> None:
    facts = [
        Facts("ok.wav", None, 44100, 2, 44100, 0.5),
        Facts("tiny.wav", None, 44100, 1, 1000, 0.5),
        Facts("hot.flac", None, 48000, 2, 48000, 1.5, clipped=True),
        Facts("bad.wav", "truncated"),
    ]
    found = survey(facts, ("x.m4a",), PAPER)
    assert [len(some) for some in (found.good, found.short, found.silent, found.clipped, found.over)] == [3, 1, 0, 1, 1]
    assert [name for name, _ in found.bad] == ["bad.wav", "x.m4a"]
    assert found.counts() == {
        "formats": "wav 2, flac 1",
        "rates": "44100 Hz 2, 48000 Hz 1",
        "channels": "stereo 2, mono 1",
    }
    assert found.length_at(1.0) == 1.0


# skipped.csv


def test_the_list_of_skipped_files_serves_all_archives_of_a_folder(tmp_path: Path) -> None:
    one, two, path = tmp_path / "one.zip", tmp_path / "two.zip", tmp_path / "skipped.csv"
    assert write_skipped(one, []) is None
    assert write_skipped(one, [("b.wav", "truncated, alas"), ("a.wav", "zero length")]) == path
    assert write_skipped(two, [("c\udce9.wav", "NaN")]) == path
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["archive"], row["file"]) for row in rows] == [
        ("one.zip", "a.wav"), ("one.zip", "b.wav"), ("two.zip", "c\\udce9.wav")
    ]  # fmt: skip
    assert rows[1]["reason"] == "truncated, alas"
    assert write_skipped(one, []) is None
    assert path.read_text().count("\n") == 2
    write_skipped(two, [])
    assert not path.exists()


def test_a_list_of_somebody_elses_is_replaced_only_when_there_is_something_to_say(tmp_path: Path) -> None:
    for name in ("skipped.csv", "a.skipped.csv"):
        mine, own = tmp_path / name, tmp_path / {"skipped.csv": "a.skipped.csv"}.get(name, "a.2.skipped.csv")
        for content in (b"mine\n", b"file,reason,archive\nx.wav,too dull\n", b"\xff\xfe", b"", b'"' + 200_000 * b"x"):
            mine.write_bytes(content)
            assert write_skipped(tmp_path / "a.zip", []) is None
            assert write_skipped(tmp_path / "a.zip", [("x.wav", "zero length")]) == own
            assert mine.read_bytes() == content
            assert own.read_text() == "file,reason,archive\nx.wav,zero length,a.zip\n"
            assert write_skipped(tmp_path / "a.zip", []) is None
            assert not own.exists()


def test_names_with_line_breaks_stay_one_row_each(tmp_path: Path) -> None:
    names = ["a\nb.wav", "c\rd.wav", 'e,"f".wav', "g\u2028h.wav", "i\x0bj.wav", "k\x85l.wav"]
    for dest in ("one.zip", "two.zip", "tw\udce9.zip", "one.zip", "tw\udce9.zip"):  # each reads what stands there
        write_skipped(tmp_path / dest, [(name, "zero length") for name in names])
    with (tmp_path / "skipped.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(names)
    assert [row["file"] for row in rows if row["archive"] == "one.zip"] == sorted([*names[:1], "c\\rd.wav", *names[2:]])
