# SPDX-License-Identifier: Apache-2.0
"""--class, --pitch, --value, --vector as a network takes them."""

import json

import numpy as np
import pytest

from patches.conditions import Condition, Conditions
from patches.errors import UserError
from patches.generate.asked import Asked
from patches.generate.conditions import Chosen, chosen_again
from spect.archive.sets import Spread

KIND = Condition("kind", "classes", ("kick", "snare", "a,b:c"))
PITCH = Condition("pitch", "classes", ("49", "60", "64"))
TUNED = Condition("pitch", "values", spread=Spread((60,), (10,), (40,), (80,)))
BRIGHT = Condition("brightness", "values", spread=Spread((0.5,), (0.25,), (0,), (1,)))
DEEP = Condition("deep", "values", (), 3, ("flux", "zcr", "rms"), Spread((0, 1, 2), (1, 1, 2), (-9,) * 3, (9,) * 3))
DRUMS, NOTES, ALL = Conditions((KIND,)), Conditions((KIND, PITCH)), Conditions((KIND, TUNED, BRIGHT, DEEP))


def one(conditions: Conditions, *classes: str, **more: object) -> Chosen:
    (chosen,) = Asked(classes, **more).choose(conditions)  # type: ignore[arg-type]
    assert chosen is not None
    return chosen


def said(conditions: Conditions, *classes: str, **more: object) -> str:
    with pytest.raises(UserError) as error:
        Asked(classes, **more).choose(conditions)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_class_is_found_by_name_then_by_index():
    assert one(DRUMS, "snare").vector().tolist() == [0, 1, 0]
    assert one(DRUMS, "0").single == 0
    assert one(DRUMS, "a,b:c").single == 2
    numbered = Conditions((Condition("class", "classes", ("1", "0")),))
    assert one(numbered, "1").single == 0
    assert list(Asked().choose(Conditions())) == [None]


def test_a_mix_is_the_sum_of_its_classes_weighted():
    kick, snare = one(DRUMS, "kick").vector(), one(DRUMS, "snare").vector()
    np.testing.assert_allclose(one(DRUMS, "kick:0.7,snare:0.3").vector(), 0.7 * kick + 0.3 * snare, rtol=1e-6)
    assert one(DRUMS, "kick,snare").vector().tolist() == [0.5, 0.5, 0]


def test_weights_are_brought_to_a_sum_of_1_and_that_is_said():
    found = Asked(("kick:2,snare:2",)).choose(DRUMS)
    assert [chosen.vector().tolist() for chosen in found if chosen] == [[0.5, 0.5, 0]]
    assert found.notes == ["--class=kick:2,snare:2: the weights sum to 4 and are taken as parts of it"]
    assert Asked(("kick:0.7,snare:0.3",)).choose(DRUMS).notes == []


def test_of_several_sets_each_gets_its_own():
    assert one(NOTES, "kind=snare", "pitch=60").vector().tolist() == [0, 1, 0, 0, 1, 0]
    assert one(NOTES, "snare", pitch="60").vector().tolist() == [0, 1, 0, 0, 1, 0]  # in one set only
    assert one(NOTES, "kick", pitch="C#3").numbers[1] == (1, 0, 0)  # MIDI 49
    assert one(NOTES, "kick", "pitch=49:0.5,64:0.5").numbers[1] == (0.5, 0, 0.5)


def test_all_is_every_class_of_one_set():
    found = Asked(("kind=all",), "60").choose(NOTES)
    assert len(found) == 3
    assert [chosen.told() for chosen in found if chosen] == [f"kind {name}, pitch 60" for name in KIND.classes]
    assert len(list(Asked(("kind=kick", "pitch=all")).choose(NOTES))) == 3


def test_values_are_given_in_their_own_units_and_at_the_mean_otherwise():
    found = Asked(("kick",), "C5", ("brightness=1", "zcr=3")).choose(ALL)
    (chosen,) = found
    assert chosen is not None
    assert chosen.vector().tolist() == [1, 0, 0, *(1.2000000476837158, 1), *(2, 1), *(0, 2, 0, 1)]
    assert found.notes == []
    (mean,) = (noted := Asked(("kick",)).choose(ALL))
    assert mean is not None
    assert mean.vector().tolist() == [1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]
    assert noted.notes == [
        "pitch wasn't given: its mean, 60", "brightness wasn't given: its mean, 0.5", "deep wasn't given: its mean"
    ]  # fmt: skip


def test_what_lies_outside_of_what_was_learned_is_told():
    notes = Asked(("kick",), values=("brightness=7", "deep.rms=0")).choose(ALL).notes
    assert "--value=brightness=7: outside of what it learned, 0 to 1" in notes


def test_a_vector_goes_to_the_set_of_its_width(tmp_path):
    np.save(tmp_path / "v.npy", np.array([[4, np.nan, 6]], np.float32))
    chosen = one(ALL, "kick", vectors=(str(tmp_path / "v.npy"),), values=("rms=8",))
    assert chosen.vector()[-4:].tolist() == [4, 0, 3, 1]
    np.save(tmp_path / "v.npy", np.arange(1))
    assert one(ALL, "kick", vectors=(f"brightness={tmp_path / 'v.npy'}",)).numbers[2] == (0,)


def test_a_condition_comes_back_from_its_recipe():
    for chosen in (one(DRUMS, "kick:0.7,snare:0.3"), one(ALL, "a,b:c", pitch="61.5", values=("zcr=0.1",))):
        assert chosen_again(chosen.conditions, json.loads(json.dumps(chosen.to_dict()))) == chosen
    assert chosen_again(DRUMS, 1) == one(DRUMS, "snare")
    assert chosen_again(DRUMS, None) is None
    for told in ({"kind": {"tom": 1}}, {"tempo": [1]}):
        with pytest.raises((KeyError, ValueError)):
            chosen_again(DRUMS, told)
    with pytest.raises(IndexError):
        chosen_again(DRUMS, 3)


def test_names_tell_conditions_apart():
    assert one(DRUMS, "snare").suffix() == "c1"
    assert one(DRUMS, "kick:0.7,snare:0.3").suffix() == "kick0.7+snare0.3"
    assert one(NOTES, "kind=a,b:c", pitch="C#3").suffix().startswith("kind-a-b-c_pitch-49-")
    assert one(ALL, "kick", values=("brightness=0.25",)).suffix() == "kind-kick_brightness-0.25"
    many = Conditions((Condition("class", "classes", tuple(f"class {n}" for n in range(40))),))
    names = [one(many, ",".join(f"{n}:{n + weight}" for n in range(40))).suffix() for weight in (1, 2)]
    assert names[0] != names[1]
    assert all(len(name) < 90 for name in names)


def test_classes_that_differ_in_letters_that_no_file_name_takes_get_files_of_their_own():
    drums = Conditions((Condition("kind", "classes", ("太鼓", "鈴", "a b", "a-b")), TUNED))
    names = [chosen.suffix() for chosen in Asked(("all",)).choose(drums) if chosen]
    assert len(set(names)) == 4
    assert all(name.isascii() and "/" not in name for name in names)


@pytest.mark.parametrize("weight", ["-1", "0", "nan", "inf", "1e308", "", "much"])
def test_a_weight_that_is_none_is_refused(weight):
    assert f"{weight!r} is no weight" in said(DRUMS, f"kick:1,snare:{weight}")


@pytest.mark.parametrize("text", ["tom", "3", "-1"])
def test_an_unknown_class_is_refused_with_the_known_ones(text):
    assert "0-2 (kick, snare, a,b:c)" in said(DRUMS, text)


def test_mistakes_are_named_in_one_line(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros(2))
    np.save(tmp_path / "m.npy", np.zeros((2, 3)))
    np.save(tmp_path / "i.npy", np.array([1, np.inf, 0]))
    (tmp_path / "t.npy").write_text("text")
    assert "kick, snare" in said(DRUMS)
    assert "--class pitch=: " in said(NOTES, "kick")
    assert "without classes" in said(Conditions(), "kick")
    assert "without classes" in said(Conditions(), pitch="60")
    assert "'x' is no weight" in said(DRUMS, "kick:x,snare:1")
    assert "'0' is no weight" in said(DRUMS, "kick:0")
    assert "'tom' is unknown" in said(DRUMS, "kick:0.5,tom:0.5")
    assert "say of which set, as in kind=kick" in said(NOTES, "tom")
    assert "is given twice; mix classes as in kick:0.7" in said(DRUMS, "kick", "snare")
    assert "learned no pitch but classes kind" in said(DRUMS, "kick", pitch="60")
    assert "give a MIDI number" in said(NOTES, "kick", pitch="H2")
    assert "none of its pitches; choose one of 49, 60, 64" in said(NOTES, "kick", pitch="61")
    assert "give NAME=NUMBER" in said(ALL, "kick", values=("brightness",))
    assert "learned no value 'kind' but" in said(ALL, "kick", values=("kind=1",))
    assert "learned no classes but values brightness" in said(Conditions((BRIGHT,)), "kick")
    assert "holds 2 numbers; pitch takes 1, brightness takes 1, deep takes 3" in said(
        ALL, "kick", vectors=(str(tmp_path / "v.npy"),)
    )
    assert "holds no single row" in said(ALL, "kick", vectors=(str(tmp_path / "m.npy"),))
    assert "holds infinity" in said(ALL, "kick", vectors=(str(tmp_path / "i.npy"),))
    assert "can't be read as .npy" in said(ALL, "kick", vectors=(str(tmp_path / "t.npy"),))
    assert "(No such file or directory)" in said(ALL, "kick", vectors=(str(tmp_path / "gone.npy"),))
    assert "learned no mood but" in said(ALL, "kick", vectors=(f"mood={tmp_path / 'v.npy'}",))
    assert "all of one set at a time" in said(NOTES, "kind=all", "pitch=all")
