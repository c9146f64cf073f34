# SPDX-License-Identifier: Apache-2.0
from xml.etree import ElementTree

import numpy as np
import pytest

from patches.scores.report.waveform import COLUMNS, EDGE, LANE, loudest, zooms
from tests.patches.scores.report.support import RATE, tone

REACH = LANE / 2 - EDGE
ROUNDING = 0.06  # of a place, which is written with one decimal


def lanes(svg: str) -> list[np.ndarray]:
    """Give each channel's places as (column, value)."""
    shapes = [one for one in ElementTree.fromstring(svg) if "points" in one.attrib]
    found = []
    for index, shape in enumerate(shapes):
        xy = np.array([[float(one) for one in pair.split(",")] for pair in shape.attrib["points"].split()])
        found.append(np.stack([xy[:, 0], ((index + 0.5) * LANE - xy[:, 1]) / REACH], 1))
    return found


def test_the_zooms_are_the_papers():
    close, closer, whole = zooms(tone(100, 2.0), RATE, "x")
    spans = [wave.times[2] - wave.times[0] for wave in (close, closer, whole)]
    assert spans == pytest.approx([0.05, 0.1, 2.0])
    assert whole.times[:2] == (0.0, 1.0)


def test_close_ups_show_the_loudest_part_and_the_whole_marks_it():
    sound = tone(100, 2.0, peak=0.1)
    sound[:, RATE : RATE + RATE // 10] *= 8
    close, closer, whole = zooms(sound, RATE, "x")
    assert close.times[0] == closer.times[0] == pytest.approx(1.0, abs=0.01)
    mark = ElementTree.fromstring(whole.svg).find("rect")
    assert float(mark.attrib["x"]) == pytest.approx(COLUMNS / 2, abs=5)
    assert float(mark.attrib["width"]) == pytest.approx(COLUMNS / 20, abs=0.1)


def test_an_offset_alone_is_not_loud():
    sound = np.full((1, 1000), 0.9, np.float32)
    sound[0, 600:610] += np.tile([0.1, -0.1], 5).astype(np.float32)
    assert 510 <= loudest(sound, 100) <= 600


def test_few_samples_are_drawn_one_by_one():
    close, _, _ = zooms(tone(100, 2.0, channels=1), RATE, "x")
    (lane,) = lanes(close.svg)
    assert len(lane) == RATE // 20
    assert lane[:, 1].max() == pytest.approx(0.5, abs=ROUNDING / REACH)
    assert lane[:, 1].min() == pytest.approx(-0.5, abs=ROUNDING / REACH)


def test_an_envelope_loses_no_peak():
    sound = np.zeros((1, 100_000), np.float32)
    sound[0, 77_777], sound[0, 12_345] = 0.9, -0.7
    (lane,) = lanes(zooms(sound, RATE, "x")[2].svg)
    assert lane[:, 1].max() == pytest.approx(0.9, abs=ROUNDING / REACH)
    assert lane[:, 1].min() == pytest.approx(-0.7, abs=ROUNDING / REACH)
    assert lane[lane[:, 1].argmax(), 0] == pytest.approx(0.77777 * COLUMNS, abs=1)


def test_channels_have_their_own_lanes_unless_they_are_equal():
    sound = tone(100, 1.0)
    assert len(lanes(zooms(sound, RATE, "x")[2].svg)) == 1
    sound[1] *= 0.5
    left, right = lanes(zooms(sound, RATE, "x")[2].svg)
    assert right[:, 1].max() == pytest.approx(left[:, 1].max() / 2, abs=ROUNDING / REACH)


@pytest.mark.parametrize("length", [1, 2, 100])
def test_a_sound_of_a_few_samples_is_drawn(length):
    for wave in zooms(np.ones((2, length), np.float32), RATE, "x"):
        assert len(lanes(wave.svg)[0]) == length
