# SPDX-License-Identifier: Apache-2.0
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from patches.scores.report import Report, write_report
from patches.scores.report.page import page
from stylegan3.metrics.estimate import Estimate
from tests.patches.scores.report.support import anchors, network, report

WITHOUT_CLOSING = {"meta", "link", "img", "input", "br", "hr"}


class Reader(HTMLParser):
    """Checks that elements nest, and gathers ids and all that could be asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in WITHOUT_CLOSING:
            self.open.append(tag)
        self.ids += [value for key, value in attrs if key == "id"]
        self.addresses += [value for key, value in attrs if key in ("src", "href")]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in WITHOUT_CLOSING:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def test_a_page_is_well_formed_and_asks_for_nothing_outside():
    found = read(page(report()))
    assert len(set(found.ids)) == len(found.ids)
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert {address[1:] for address in found.addresses if address.startswith("#")} <= set(found.ids)


def test_sections_come_in_order():
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page(report()))
    assert headings == [
        "Snapshots and seeds", "Over training", "Scores", "Best", "Worst", "Most copied", "Distances", "Waveform",
        "Notes",
    ]  # fmt: skip


def test_an_empty_report_is_a_page_with_its_title_alone():
    html = page(Report("Nothing"))
    read(html)
    assert "<h1>Nothing</h1>" in html
    assert "<h2" not in html
    assert 'id="bar"' not in html


def test_a_metric_without_an_anchor_is_not_shown_and_named_in_the_notes():
    html = page(report())
    assert "<caption>kad on log-mel 2</caption>" in html
    assert "<caption>inception" not in html
    assert "inception_score on log-mel 2: not shown, for no anchor row stands beside it." in html


def test_a_history_finds_its_anchors_among_the_scores():
    html = page(Report("x", scores=anchors(), history=(network(5.0, 10), network(1.0, 20))))
    assert "kad (kad on log-mel 2) over kimg" in html
    assert "held-out real 0.01" in html


def test_one_snapshot_makes_no_curve():
    assert "Over training" not in page(Report("x", scores=anchors(), history=(network(5.0, 10),)))


def test_a_figure_that_is_one_value_throughout_makes_no_curve():
    rows = [replace(row, values={"kad": Estimate(0.0)}) for row in (network(1.0, 10), network(1.0, 20), *anchors())]
    assert "Over training" not in page(Report("x", history=tuple(rows)))


def test_titles_are_text():
    html = page(report())
    assert "<h1>Tones &amp; &lt;others&gt;</h1>" in html
    assert "<one>" not in html


def test_each_sound_is_in_the_page_once():
    html = page(report())
    # 12 cells, one of which is the best output and the most copied, its neighbour, the worst output, the zoom's.
    assert html.count('class="sound"') == 12 + 1 + 1 + 1
    assert html.count('class="player"') == 12 + 4 + 1 + 1


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, report())
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text("utf-8").rstrip().endswith("</html>")


def test_equal_reports_are_equal_pages():
    assert page(report()) == page(report())


@pytest.mark.parametrize("word", ["nan", "inf"])
def test_no_nan_reaches_a_drawing(word):
    drawings = "".join(re.findall(r"<svg.*?</svg>", page(report())))
    assert not re.search(rf'[" ,]-?{word}[" ,]', drawings)
