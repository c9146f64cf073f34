# SPDX-License-Identifier: Apache-2.0
"""The harness sees what a page does wrong."""

from pathlib import Path

import pytest

from patches.scores.html import document
from tests.browser import opened


def page_of(folder: Path, body: str = "", script: str = "") -> Path:
    path = folder / "page.html"
    path.write_text(document("a page", style="", body=body, script=script), encoding="utf-8")
    return path


def test_a_quiet_page_passes(tmp_path: Path):
    with opened(page_of(tmp_path, "<h1>Hello</h1>", "document.title += '!'")) as page:
        assert page.title() == "a page!"
        assert page.get_by_role("heading").inner_text() == "Hello"


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("throw new Error('broken')", "threw broken"),
        ("console.error('odd')", "console: odd"),
        ("fetch('http://127.0.0.1:9/x').catch(() => 0)", "Content Security Policy"),
        ("document.body.append(Object.assign(new Image(), {src: 'beside.png'}))", "Content Security Policy"),
    ],
)
def test_a_page_that_throws_complains_or_asks_for_more_fails(tmp_path: Path, script: str, complaint: str):
    with pytest.raises(AssertionError, match=complaint), opened(page_of(tmp_path, script=script)):
        pass


def test_a_request_that_no_policy_forbids_fails(tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text('<!doctype html><link rel="icon" href="data:,"><img src="http://127.0.0.1:9/x.png">')
    with pytest.raises(AssertionError, match=r"asked for http://127\.0\.0\.1:9/x\.png"), opened(path):
        pass
