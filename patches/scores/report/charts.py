# SPDX-License-Identifier: Apache-2.0
"""The drawn parts of a report as HTML: scores over training, distances to the nearest training sound, waveforms."""

import math
import statistics
from collections.abc import Mapping, Sequence

from patches.scores.groups import Group
from patches.scores.html import escape
from patches.scores.report.content import Clip
from patches.scores.report.numerals import in_unit, named, number
from patches.scores.report.plot import colour, curve, histograms
from patches.scores.report.sounds import playable
from patches.scores.report.waveform import Wave, zooms
from stylegan3.metrics.estimate import Estimate

POINTS = 2  # fewer make no curve


def courses(groups: Sequence[Group]) -> str:
    """Draw every figure over kimg, its anchors as levels; none that has no two points, or is one value throughout."""
    charts = "".join(_course(group, name) for group in groups for name in group.figures)
    return f'<div class="charts">{charts}</div>' if charts else ""


def distances(groups: Mapping[str, Sequence[float]]) -> str:
    """Draw distances to the nearest training sound as histograms over one another, with medians."""
    found = {name: sorted(filter(math.isfinite, values)) for name, values in groups.items()}
    found = {name: values for name, values in found.items() if values}
    if not found:
        return ""
    svg = histograms(found, "Distances to the nearest training sound", "distance to the nearest training sound")
    keys = "".join(
        f'<span class="key filled {colour(index)}">{escape(name)}: {len(values):,} sounds, '
        f"median {number(statistics.median(values))}</span>"
        for index, (name, values) in enumerate(found.items())
    )
    why = "Outputs much nearer to a training sound than held-out real sounds ever are may be copies of it."
    return f'<p class="hint">{why}</p><figure class="chart wide">{svg}<figcaption>{keys}</figcaption></figure>'


def waveforms(clip: Clip) -> str:
    """Draw a sound's waveform at three zooms: two close-ups above, the whole below."""
    return "".join(map(_waveform, zooms(playable(clip.sound)[0], clip.rate, clip.title)))


def _waveform(wave: Wave) -> str:
    times = "".join(f"<span>{time:.3f} s</span>" for time in wave.times)
    heading = f"<h3>{wave.heading}</h3>"
    return f'<figure class="chart">{heading}{wave.svg}<figcaption class="times">{times}</figcaption></figure>'


def _course(group: Group, figure: str) -> str:
    rows = sorted((row for row in group.networks if row.kimg is not None), key=lambda row: row.kimg or 0)
    points = [(row.kimg or 0.0, in_unit(figure, row.values[figure])) for row in rows if figure in row.values]
    levels = {row.system: in_unit(figure, row.values[figure]) for row in group.anchors if figure in row.values}
    known = [estimate.value for _, estimate in points if math.isfinite(estimate.value)]
    if len(known) < POINTS or len({*known, *(level.value for level in levels.values())}) == 1:
        return ""
    svg, far = curve(points, f"{figure} ({group.name}) over kimg", "kimg", levels)
    by = group.features if figure == group.metric else group.name
    heading = f"<h3>{named(figure)} <small>{escape(by)}</small></h3>"
    return f'<figure class="chart">{heading}{svg}<figcaption>{_legend(levels, far)}</figcaption></figure>'


def _legend(levels: Mapping[str, Estimate], far: Sequence[str]) -> str:
    keys = [f'<span class="key {colour(0)}">network</span>']
    for index, (name, level) in enumerate(levels.items()):
        off = ", off the plot" if name in far else ""
        keys.append(f'<span class="key dashed {colour(index + 1)}">{escape(name)} {number(level.value)}{off}</span>')
    return "".join(keys)
