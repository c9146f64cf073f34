# SPDX-License-Identifier: Apache-2.0
"""docs/views.md is written again, and extended, from what is kept beside it: no audio, no work folder."""

import shutil
from pathlib import Path

import pytest

from bench.pages.measured import DOCS, VIEWS, lines_of, write_lines
from bench.views import write_page
from patches.views import KINDS


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A copy of docs/views and an empty work folder."""
    shutil.copytree(DOCS / "views", tmp_path / "docs" / "views")
    (tmp_path / "work").mkdir()
    return tmp_path / "docs"


def test_the_page_is_what_is_kept(docs: Path, tmp_path: Path) -> None:
    write_page(tmp_path / "no audio", tmp_path / "work", docs)
    assert (docs / "views.md").read_bytes() == (DOCS / "views.md").read_bytes()
    for path in (path for path in (DOCS / "views").rglob("*") if path.is_file()):
        assert (docs / "views" / path.relative_to(DOCS / "views")).read_bytes() == path.read_bytes(), path.name


def test_a_run_of_this_machine_is_added_and_kept(docs: Path, tmp_path: Path) -> None:
    name = "cmyk_stylegan2_s99"
    rows = lines_of(next(iter(VIEWS.glob("*.jsonl"))))
    write_lines(tmp_path / "work" / f"{name}.jsonl", rows)
    write_page(tmp_path / "no audio", tmp_path / "work", docs)
    assert f"| {name} |" in (docs / "views.md").read_text()
    assert lines_of(docs / "views" / VIEWS.name / f"{name}.jsonl") == rows
    assert f"| {name} |" not in (DOCS / "views.md").read_text()


def test_every_view_has_its_row_its_picture_and_its_augmentations() -> None:
    text = (DOCS / "views.md").read_text()
    for name in KINDS:
        assert text.count(f"\n| {name} |") >= 2
        assert f"![{name}](views/{name}.png)" in text
        assert (DOCS / "views" / f"{name}.png").is_file()
