# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML page: scores, curves and sounds inside one file that asks nothing of any network."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from patches.scores.groups import grouped
from patches.scores.html import document, escape
from patches.scores.report.charts import courses, distances, waveforms
from patches.scores.report.clips import Players, facts
from patches.scores.report.content import Clip, Pair, Report, Row
from patches.scores.report.tables import score_table
from spect.files import write_text

KEYS = (
    "Click a cell to play it. Arrows move; space or enter plays and stops; while a sound plays, moving plays the next."
)
STRIPS = "Each strip spans all systems: the dot is the figure, the bar its 95 % interval."

BESIDE = "On the right, the training sound that is nearest to the output."


def write_report(path: str | Path, report: Report) -> None:
    """Write a report as one self-contained page, whole or not at all."""
    write_text(path, page(report))


def page(report: Report) -> str:
    """Compose the page; metrics without an anchor row of the same features aren't shown, which the notes say."""
    players = Players()
    tables, bare = grouped(report.scores)
    curves, bare_curves = grouped(report.history, report.scores)
    sections = {
        "Snapshots and seeds": _grid(players, report.grid),
        "Over training": courses(curves),
        "Scores": _hinted(STRIPS, "".join(map(score_table, tables))),
        "Best": _pairs(players, "best", report.best),
        "Worst": _pairs(players, "worst", report.worst),
        "Most copied": _pairs(players, "most copied", report.copied),
        "Distances": distances(report.distances),
        "Waveform": _zoom(players, report.zoom),
        "Notes": _notes(report.notes, [*bare, *bare_curves]),
    }
    body = _body(report, {heading: html for heading, html in sections.items() if html}, players)
    return document(report.title, style=_asset("page.css"), body=body, script=_asset("page.js"))


def _body(report: Report, sections: Mapping[str, str], players: Players) -> str:
    names = {heading: heading.lower().replace(" ", "-") for heading in sections}
    links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for heading, name in names.items())
    parts = "".join(
        f'<section id="{names[heading]}" aria-labelledby="{names[heading]}-heading">'
        f'<h2 id="{names[heading]}-heading">{heading}</h2>{html}</section>'
        for heading, html in sections.items()
    )
    return (
        f"<header><h1>{escape(report.title)}</h1>{facts(report.intro)}"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header><main>{parts}</main>{players.bar()}'
    )


def _hinted(hint: str, html: str) -> str:
    return f'<p class="hint">{hint}</p>{html}' if html else ""


def _grid(players: Players, rows: tuple[Row, ...]) -> str:
    return _hinted(KEYS, players.grid(rows) if rows else "")


def _pairs(players: Players, kind: str, pairs: tuple[Pair, ...]) -> str:
    cards = "".join(players.pair(pair, kind) for pair in pairs)
    return _hinted(BESIDE, f'<div class="pairs">{cards}</div>' if cards else "")


def _zoom(players: Players, clip: Clip | None) -> str:
    if clip is None:
        return ""
    return f'<div class="zooms">{players.figure(clip, clip.title)}{waveforms(clip)}</div>'


def _notes(notes: tuple[str, ...], bare: list[str]) -> str:
    missing = [f"{name}: not shown, for no anchor row stands beside it." for name in dict.fromkeys(bare)]
    items = "".join(f"<li>{escape(note)}</li>" for note in (*notes, *missing))
    return f"<ul>{items}</ul>" if items else ""


def _asset(name: str) -> str:
    return files("patches.scores.report").joinpath(name).read_text("utf-8")
