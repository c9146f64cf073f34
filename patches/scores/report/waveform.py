# SPDX-License-Identifier: Apache-2.0
"""The waveform of a sound at three zooms (Henshaw 2022, figure 3): about 0.05 s and 0.1 s above, the whole sound below.

It shows what a spectrogram hides: an offset from zero, clicks, and how dense the periods are. The close-ups begin
together, where the 0.1 s with the most energy lie; the whole sound's picture marks that place.
Few samples are joined by a line. Many are drawn as an envelope: each column from its smallest to its largest sample,
its right neighbour's first included, so that no peak is lost and columns meet. Left is above, right below, each from
-1 to 1; channels that are equal are drawn once.
"""

from dataclasses import dataclass
from html import escape

import numpy as np

from patches.scores.report.numerals import number

CLOSE_UPS = (0.05, 0.1)  # seconds, the paper's
COLUMNS = 800
LANE = 130.0  # the height of a channel
EDGE = 2.0  # above and below a lane


@dataclass(frozen=True)
class Wave:
    """A drawn stretch of a sound; `times` are those of its begin, middle and end, in seconds."""

    heading: str
    svg: str
    times: tuple[float, float, float]


def zooms(sound: np.ndarray, rate: int, name: str) -> tuple[Wave, Wave, Wave]:
    """Draw about 0.05 s, about 0.1 s and the whole of a sound. Shape: [C, L]."""
    length = sound.shape[1]
    near, far = (min(round(seconds * rate), length) for seconds in CLOSE_UPS)
    start = loudest(sound, far)
    whole = f"The whole, {number(length / rate)} s"
    return (
        waveform(sound, rate, name, f"About {CLOSE_UPS[0]:g} s", (start, near)),
        waveform(sound, rate, name, f"About {CLOSE_UPS[1]:g} s", (start, far)),
        waveform(sound, rate, name, whole, (0, length), mark=(start, far)),
    )


def loudest(sound: np.ndarray, length: int) -> int:
    """Find where the `length` samples of the most energy begin, without what is constant. Shape: [C, L]."""
    if length >= sound.shape[1]:
        return 0
    moving = sound.astype(np.float64) - sound.mean(axis=1, keepdims=True)
    energy = np.concatenate([[0.0], np.cumsum((moving**2).sum(axis=0))])
    return int(np.argmax(energy[length:] - energy[:-length]))


def waveform(
    sound: np.ndarray,
    rate: int,
    name: str,
    heading: str,
    span: tuple[int, int],
    mark: tuple[int, int] | None = None,
) -> Wave:
    """Draw a stretch of a sound.

    Args:
        span: (first sample, samples) to draw.
        mark: (first sample, samples) to shade.

    Shape: [C, L], in [-1, 1].
    """
    first, length = span
    lanes = sound[:1] if len(sound) == 2 and np.array_equal(sound[0], sound[1]) else sound
    shapes = [_lane(samples[first : first + length], index) for index, samples in enumerate(lanes)]
    height = len(lanes) * LANE
    if mark is not None:
        left, wide = ((place / length) * COLUMNS for place in (mark[0] - first, mark[1]))
        shapes.insert(0, f'<rect class="mark" x="{left:.2f}" y="0" width="{max(wide, 1):.2f}" height="{height:g}"/>')
    title = escape(f"Waveform of {name}: {heading}")
    svg = (
        f'<svg class="wave" viewBox="0 0 {COLUMNS} {height:g}" preserveAspectRatio="none" style="height: {height:g}px" '
        f'role="img" aria-label="{title}"><title>{title}</title>{"".join(shapes)}</svg>'
    )
    return Wave(heading, svg, (first / rate, (first + length / 2) / rate, (first + length) / rate))


def _lane(samples: np.ndarray, index: int) -> str:
    """Draw a channel between the lines of -1, 0 and 1."""
    middle, reach = (index + 0.5) * LANE, LANE / 2 - EDGE
    ys = [middle - value * reach for value in (-1, 0, 1)]
    rules = "".join(f'<line class="rule" x1="0" x2="{COLUMNS}" y1="{y:g}" y2="{y:g}"/>' for y in ys)
    few = len(samples) <= 3 * COLUMNS
    xs, values = _joined(samples) if few else _envelope(samples)
    places = " ".join(f"{x:.1f},{middle - value * reach:.1f}" for x, value in zip(xs, values, strict=True))
    shape = f'polyline class="line c{index}"' if few else f'polygon class="area c{index}"'
    return f'{rules}<{shape} points="{places}"/>'


def _joined(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(0, COLUMNS, len(samples)), samples


def _envelope(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the outline of an envelope: the largest values from left to right, then the smallest back."""
    edges = np.linspace(0, len(samples), COLUMNS + 1).astype(int)[:-1]
    following = samples[np.append(edges[1:], len(samples) - 1)]
    top = np.maximum(np.maximum.reduceat(samples, edges), following)
    bottom = np.minimum(np.minimum.reduceat(samples, edges), following)
    xs = np.arange(COLUMNS) + 0.5
    return np.concatenate([xs, xs[::-1]]), np.concatenate([top, bottom[::-1]])
