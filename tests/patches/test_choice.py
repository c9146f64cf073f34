# SPDX-License-Identifier: Apache-2.0
import pytest

from patches.errors import UserError
from patches.views import KINDS, choose, parse_arguments
from patches.views.choice import BEST_FIRST
from spect.cmyk import Cmyk
from spect.errors import SoundError
from spect.representation import trainable

PAPER = Cmyk()


def test_what_measured_best_is_taken_with_its_reason():
    name, reason = choose(PAPER, None, {})
    assert name == BEST_FIRST[0][0]
    assert "docs/views.md" in reason


@pytest.mark.parametrize(
    "stored", [PAPER, Cmyk(8000, 64, 64), Cmyk(22050, 16, 16), Cmyk(16000, 100, 37), Cmyk(96000, 20, 1000)], ids=str
)
def test_whatever_is_taken_can_be_learned(stored):
    name, _ = choose(stored, None, {})
    _, rows, frames = KINDS[name].cls.suited(stored.sample_rate, stored.samples, stored.rows, stored.frames).shape
    assert trainable(rows, frames)


def test_a_scaling_or_a_parameter_that_is_asked_for_decides():
    assert choose(PAPER, "compand", {})[0] == "cmyk"
    assert choose(PAPER, None, {"dc": "packed"})[0] == "instfreq"


def test_where_nothing_fits_it_says_why_for_each():
    with pytest.raises(
        UserError, match=r"--view=auto: no view fits these sounds \(view mel: .*; view instfreq: .*; view cmyk: "
    ):
        choose(PAPER, None, {"colour": "red"})
    with pytest.raises(UserError, match="cmyk: has no scaling cube"):
        choose(PAPER, "cube", {})


def test_parameters_are_read_from_text():
    assert parse_arguments("hop=64, window=256,") == {"hop": "64", "window": "256"}
    assert parse_arguments("") == {}
    for text in ("hop", "=3", "hop=", "hop:3"):
        with pytest.raises(SoundError, match=r"--view-args=.*give parameters like"):
            parse_arguments(text)
    with pytest.raises(SoundError, match="hop is there more than once"):
        parse_arguments("hop=64,window=256, hop=32")
