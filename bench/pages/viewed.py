# SPDX-License-Identifier: Apache-2.0
"""docs/views.md as text: what bench/views.py measured of each view, what bench/learning.py found, and the pictures."""

from bench.pages.hits import MEASURES
from bench.pages.learned import Curves, summary, table
from bench.pages.measured import Row
from bench.phase import head, line
from patches.views.choice import BEST_FIRST

ERRORS = (0.0, 0.01, 0.05)


def page(found: dict[str, Row], sections: dict[str, Row], learned: Curves, anchors: dict[str, Row]) -> str:
    """Lay the page out."""
    lines = [
        "# Views: measured",
        "",
        "Written by `bench/views.py` (what each column is stands there) from runs of `bench/learning.py`; not by hand.",
        "",
        "## Shape, round trip, error, speed",
        "",
        "Archive of 64x64 canvases at 22 050 Hz (8 192 samples); in brackets: the shape for 65 536 samples. Speed: one",
        "CPU thread. SNR and LSD in dB. Where the phase is found afterwards, SNR compares waveforms whose difference",
        "nobody hears: there LSD is what counts.",
        "",
        "| view | C x F x T (65 536) | seconds | scaling | round trip: SNR median / least, LSD | scaled: LSD "
        "| 1 %: SNR, LSD | 5 %: SNR, LSD | encode, decode /s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        shape, large = ("x".join(map(str, row[key])) for key in ("shape", "large"))
        trip, clean, one, five = (row[key] for key in ("trip", *(f"error {error}" for error in ERRORS)))
        lines.append(
            f"| {name} | {shape} ({large}) | {row['seconds']:.2f} | {row['scaling']} "
            f"| {trip['snr']:.1f} / {trip['snr_least']:.1f}, {trip['lsd']:.2f} | {clean['lsd']:.2f} "
            f"| {one['snr']:.1f}, {one['lsd']:.2f} | {five['snr']:.1f}, {five['lsd']:.2f} "
            f"| {row['encode']:.0f}, {row['decode']:.0f} |"
        )
    lines += [*edges(sections["edges"]), *inverses(sections["inverses"])]
    lines += ["", "## Augmentations that each carries", "", "| view | transforms |", "|---|---|"]
    lines += [f"| {name} | {', '.join(row['augmentations']) or 'none'} |" for name, row in found.items()]
    lines += ["", "## One sound in all views", ""]
    lines += [f"![{name}](views/{name}.png) {name}" for name in found]
    return "\n".join([*lines, *learning(learned, anchors)]) + "\n"


def edges(found: Row) -> list[str]:
    """Lay out what errors on coefficients do at the frames' edges."""
    lines = [
        "",
        "## Coefficients: what an error does at the frame rate",
        "",
        f"{found['sounds']} drum hits, {found['rows']} rows, `bench/coefficients.py`. Edge: the error's mean second",
        "difference folded at the frame rate, peak over median; 1 is none.",
        "",
        "| view | round trip dB | SNR at 1 % | at 5 % | edge of the error at 1 % | of 1 % of each value |",
        "|---|---|---|---|---|---|",
    ]
    for name, (trip, one, five, edge, each, _) in found["views"].items():
        lines.append(f"| {name} | {trip:.1f} | {one:.1f} | {five:.1f} | {edge:.2f} | {each:.2f} |")
    return lines


def inverses(found: Row) -> list[str]:
    """Lay out how well phases are found."""
    return [
        "",
        "## Phases found afterwards",
        "",
        f"{found['sounds']} drum hits, `bench/phase.py`. Spectral convergence: lower is better. One core.",
        "",
        *head(found["forms"]),
        *(line(label, figures) for label, figures in found["ways"].items()),
        "",
        f"What `stereo` keeps of the image: {found['image']}",
    ]


def learning(found: Curves, anchors: dict[str, Row]) -> list[str]:
    """Lay out what bench/learning.py found."""
    measures, (auto, *others) = list(MEASURES), (name for name, _ in BEST_FIRST)
    return [
        "",
        "## What a small network learns",
        "",
        "245 real drum hits are learned, 57 of three other kits are the reference; KAD (x100) of 200 new sounds, lower",
        "is better. Equal CPU time of one core for each; protocol and numbers: bench/learning.py. What a run came to",
        "is the mean of its last three minutes' measurements, here averaged over seeds. In bold: the best of equal",
        f"networks and times. `--view=auto` takes {auto}; where it doesn't fit, {' or '.join(others)}.",
        "",
        *summary(found, measures, auto),
        "",
        "Run by run, in brackets the range of the three measurements and the untrained network. The first rows are",
        "anchors: real train hits against the held-out ones. Most of the train kits are mono, most of the held-out",
        "aren't, and the waveform measure, which hears the side, says so of real hits too; that of the mid doesn't.",
        "Runs with a * were read back, to 0.2 %, from the plots of a former version of this page.",
        "",
        *table(found, anchors, measures),
        "",
        *(f"![KAD {name} over time](views/{curve_file(name)})" for name in measures),
    ]


def curve_file(measure: str) -> str:
    """Name a measure's plot."""
    return f"curve-{measure.replace(' ', '-').replace('+', '-')}.svg"
