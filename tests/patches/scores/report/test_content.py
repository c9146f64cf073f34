# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from patches.errors import UserError
from patches.scores.report import Clip, Report
from tests.patches.scores.report.support import RATE, clip, tone


@pytest.mark.parametrize("shape", [(100,), (3, 100), (2, 0)])
def test_a_sound_of_another_shape_is_refused(shape):
    with pytest.raises(UserError, match=r"odd: a sound is \[1 or 2, L\]"):
        Clip("odd", np.zeros(shape, np.float32), RATE)


def test_a_picture_that_is_no_8_bit_rgb_is_refused():
    with pytest.raises(UserError, match="uint8"):
        Clip("odd", tone(100), RATE, picture=np.zeros((8, 8, 3), np.float32))


def test_rows_of_the_table_have_the_same_seeds():
    with pytest.raises(UserError, match="same seeds in the same order, got 0, 1 and 1, 0"):
        Report("x", grid=(("a", (clip(0), clip(1))), ("b", (clip(1), clip(0)))))


def test_contents_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        clip(0).rate = 1  # type: ignore[misc]
