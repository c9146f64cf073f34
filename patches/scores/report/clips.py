# SPDX-License-Identifier: Apache-2.0
"""Players as HTML: a spectrogram that is a button, the sound's place in the page, and what there is to say of it.

The page's script finds players by `data-sound` (the place of the sound in `Sounds.data`); within the table of snapshots
and seeds by `data-row` and `data-column` also.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from patches.scores.html import data_uri, escape
from patches.scores.report.content import Clip, Pair, Row
from patches.scores.report.numerals import number
from patches.scores.report.sounds import Sounds
from patches.scores.report.spectrogram import small_png, spectrogram

BAR = """<div class="bar" id="bar" role="region" aria-label="Player" data-rate="RATE">
<button type="button" id="toggle" aria-label="Play"><svg viewBox="0 0 20 20" aria-hidden="true">
<path class="go" d="M5 3l12 7-12 7z"/><path class="halt" d="M4 4h12v12H4z"/></svg></button>
<span id="now" aria-live="polite">Choose a sound</span><output id="time"></output>
<label><input type="checkbox" id="loop" checked> Loop</label>
<label>Volume <input type="range" id="volume" min="0" max="1" step="0.01" value="1"></label></div>"""


@dataclass
class Players:
    """Writes the players of one page and gathers their sounds."""

    sounds: Sounds = field(default_factory=Sounds)

    def button(self, clip: Clip, called: str, more: str = "") -> tuple[str, str]:
        """Write a clip's button.

        Args:
            called: what a person hears the button called, as in "1 000 kimg, seed 3".
            more: further attributes.

        Returns:
            the button, and what was done to the sound, in words (empty: nothing).
        """
        place, done = self.sounds.add(clip)
        picture = clip.picture if clip.picture is not None else spectrogram(clip.sound, clip.rate)
        height, width = picture.shape[:2]
        name = escape(f"{called}, {number(clip.seconds)} s")
        return (
            f'<button type="button" class="player" data-sound="{place}" data-loop="{str(clip.loop).lower()}" '
            f'data-called="{name}" aria-label="Play {name}" aria-pressed="false"{more}>'
            f'<img src="{data_uri("image/png", small_png(picture))}" width="{width}" height="{height}" alt="">'
            '<i class="head" hidden></i></button>',
            done,
        )

    def figure(self, clip: Clip, called: str, role: str = "") -> str:
        """Write a clip with its title and caption, and above it what it is here."""
        button, done = self.button(clip, called)
        head = f'<p class="role">{escape(role)}</p>' if role else ""
        return (
            f"<figure>{head}{button}<figcaption>{escape(clip.title)}{_said(clip.caption, done)}</figcaption></figure>"
        )

    def pair(self, pair: Pair, kind: str) -> str:
        """Write an output beside the nearest training sound, with its figures."""
        shown = self.figure(pair.output, f"{kind} output, {pair.output.title}", "output")
        if pair.nearest is not None:
            called = f"nearest training sound, {pair.nearest.title}"
            shown += self.figure(pair.nearest, called, "training sound")
        return f'<article class="pair"><div class="two">{shown}</div>{facts(pair.figures)}</article>'

    def bar(self) -> str:
        """Write the bar that says and steers what plays, and all sounds: last, so that the page is seen before."""
        sounds = "".join(f'<script type="text/plain" class="sound">{data}</script>' for data in self.sounds.data)
        return f"{BAR.replace('RATE', str(self.sounds.rate))}{sounds}" if sounds else ""

    def grid(self, rows: tuple[Row, ...]) -> str:
        """Write the table of snapshots (down) and seeds (across)."""
        heads = "".join(f'<th scope="col">{escape(_column(clip))}</th>' for clip in rows[0][1])
        body = "".join(self._grid_row(index, *row) for index, row in enumerate(rows))
        return (
            '<div class="scroll"><table class="grid"><caption class="unseen">Snapshots down, seeds across</caption>'
            f"<thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _grid_row(self, index: int, label: str, clips: tuple[Clip, ...]) -> str:
        cells = []
        for column, clip in enumerate(clips):
            # One cell can be reached by Tab; from there on, arrows.
            more = f' data-row="{index}" data-column="{column}" tabindex="{0 if index == column == 0 else -1}"'
            button, done = self.button(clip, f"{label}, {_column(clip)}", more)
            cells.append(f"<td>{button}{_said(clip.caption, done)}</td>")
        return f'<tr><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>'


def facts(texts: Mapping[str, str]) -> str:
    """Write facts by name as a list; nothing where there are none."""
    items = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(text)}</dd></div>" for key, text in texts.items())
    return f"<dl>{items}</dl>" if items else ""


def _said(*texts: str) -> str:
    return "".join(f"<small>{escape(text)}</small>" for text in texts if text)


def _column(clip: Clip) -> str:
    return clip.title if clip.seed is None else f"seed {clip.seed}"
