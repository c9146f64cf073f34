# SPDX-License-Identifier: Apache-2.0
import contextlib
import pathlib
import shutil
from pathlib import Path

import pytest

from spect import files
from spect.files import NewFolder, remove_partials, whole_file, write_text
from tests.spect.interrupts import SOME, interrupted


def test_a_text_takes_its_name_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "one")
    write_text(tmp_path / "a.txt", "two")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "two")]


def test_an_error_in_the_block_keeps_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "one")
    with contextlib.suppress(ZeroDivisionError), whole_file(tmp_path / "a.txt") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "one")]


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".a.txt.0123.part").write_text("half")
    (tmp_path / "run" / "b.part").write_text("the user's")
    remove_partials(tmp_path)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["b.part"]


def test_a_new_folder_stays_where_the_block_succeeds_or_wrote_something(tmp_path: Path) -> None:
    with NewFolder(tmp_path / "a" / "b"):
        pass
    with contextlib.suppress(ZeroDivisionError), NewFolder(tmp_path / "c" / "d") as folder:
        (folder.parent / "kept").write_text("")
        raise ZeroDivisionError
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/b", "c", "c/kept"]


def test_where_the_block_fails_only_the_folders_made_for_it_go(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for path in (tmp_path / "old", tmp_path / "old" / "new" / "deeper"):
        with pytest.raises(ZeroDivisionError), NewFolder(path):
            raise ZeroDivisionError
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


def test_a_folder_that_cannot_be_made_leaves_none_above_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="name too long"), NewFolder(tmp_path / "a" / ("b" * 300)):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # Python drops those of a generator's end
def test_ctrl_c_at_any_line_leaves_nothing_or_a_whole_file(tmp_path: Path) -> None:
    def work() -> None:
        with NewFolder(tmp_path / "a" / "b") as folder:
            write_text(folder / "c.txt", "whole")

    places = []
    for place in interrupted((files, contextlib, pathlib), work):
        left = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [path.read_text() for path in left] in ([], ["whole"]), place
        if not place.startswith("contextlib"):  # there the half file is removed after its folder's turn
            assert left or not list(tmp_path.iterdir()), place
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        places.append(place)
    assert len(places) > SOME
