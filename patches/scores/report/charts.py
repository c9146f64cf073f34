# SPDX-License-Identifier: Apache-2.0
"""The drawn parts of a report as HTML: scores over training, distances to the nearest training sound, waveforms."""

import math
import statistics
from collections.abc import Mapping, Sequence

from patches.scores.html import escape
from patches.scores.report.content import Clip
from patches.scores.report.figures import number
from patches.scores.report.groups import Group
from patches.scores.report.plot import colour, curve, histograms
from patches.scores.report.sounds import playable
from patches.scores.report.tables import figure_name
from patches.scores.report.waveform import Wave, zooms
from stylegan3.metrics.estimate import Estimate

POINTS = 2  # fewer make no curve


def courses(groups: Sequence[Group]) -> str:
    """Draw every figure over kimg, with its anchors as levels; nothing where there are no two points."""
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
    why = "Where outputs lie nearer to the training sounds than held-out real sounds do, they were copied."
    return f'<p class="hint">{why}</p><figure class="chart wide">{svg}<figcaption>{keys}</figcaption></figure>'


def waveforms(clip: Clip) -> str:
    """Draw a sound's waveform at three zooms: two close-ups above, the whole below."""
    return "".join(map(_waveform, zooms(playable(clip.sound)[0], clip.rate, clip.title)))


def _waveform(wave: Wave) -> str:
    times = "".join(f"<span>{number(time)} s</span>" for time in wave.times)
    heading = f"<h3>{wave.heading}</h3>"
    return f'<figure class="chart">{heading}{wave.svg}<figcaption class="times">{times}</figcaption></figure>'


def _course(group: Group, figure: str) -> str:
    rows = sorted((row for row in group.networks if row.kimg is not None), key=lambda row: row.kimg or 0)
    points = [(row.kimg or 0.0, row.values[figure]) for row in rows if figure in row.values]
    if sum(math.isfinite(estimate.value) for _, estimate in points) < POINTS:
        return ""
    levels = {row.system: row.values[figure] for row in group.anchors if figure in row.values}
    svg, far = curve(points, f"{figure} ({group.name}) over kimg", "kimg", levels)
    heading = f"<h3>{figure_name(figure)} <small>{escape(group.name)}</small></h3>"
    return f'<figure class="chart">{heading}{svg}<figcaption>{_legend(levels, far)}</figcaption></figure>'


def _legend(levels: Mapping[str, Estimate], far: Sequence[str]) -> str:
    keys = [f'<span class="key {colour(0)}">network</span>']
    for index, (name, level) in enumerate(levels.items()):
        off = ", off the plot" if name in far else ""
        keys.append(f'<span class="key dashed {colour(index + 1)}">{escape(name)} {number(level.value)}{off}</span>')
    return "".join(keys)
