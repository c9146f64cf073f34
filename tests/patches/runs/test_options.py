# SPDX-License-Identifier: Apache-2.0
"""Which value an option gets, and why."""

import json
import math
import re

import pytest

from patches import presets
from patches.errors import UserError
from patches.runs.amounts import seconds_of, total_kimg
from patches.runs.options import (
    BY_MACHINE,
    KEPT,
    MAY_CHANGE,
    MAY_DIFFER,
    NAMES,
    TrainOptions,
    refuse_differences,
    resolve,
    same_run,
)
from tests.patches.runs.support import resolved

GIVEN = {"outdir": "runs", "data": "x.zip"}


def own(**changes):
    return {**resolved(**GIVEN, kimg="10").options.to_dict(), **changes}


@pytest.mark.parametrize(
    ("given", "preset", "run", "value", "reason"),
    [
        ({}, None, None, 4, "default"),
        ({}, "paper", None, 1, "from --preset=paper"),
        ({"tick": 7.0}, "paper", None, 7, None),
        ({}, "paper", {"tick": 3.0}, 3, "as the run has it"),
        ({"tick": 3.0}, "paper", {"tick": 3.0}, 3, None),
        ({}, None, {"tick": 3.0}, 3, "as the run has it"),
    ],
)
def test_given_comes_before_the_runs_own_before_the_preset_before_the_default(given, preset, run, value, reason):
    found = resolved(**GIVEN, **given, preset=preset, own=run and own(**run))
    assert found.options.tick == value
    assert found.reasons.get("tick") == reason


def test_a_preset_fills_in_all_that_is_required_but_places():
    for name in presets.PRESETS:
        options = resolve({n: GIVEN.get(n) for n in NAMES}, name).options
        for key, value in presets.settings(name).items():
            if value is None:  # left to the configuration
                continue
            assert getattr(options, key) == (float(value) if key == "kimg" else value)
    with pytest.raises(UserError, match=f"--preset=none: must be one of {', '.join(presets.PRESETS)}"):
        resolved(**GIVEN, preset="none")


def test_what_the_configuration_decides_is_told():
    found = resolved(**GIVEN, cfg="stylegan3-t", map_depth=None)
    assert (found.options.glr, found.reasons["glr"]) == (0.0025, "by --cfg=stylegan3-t")
    assert (found.options.map_depth, found.reasons["map_depth"]) == (2, "by --cfg=stylegan3-t")
    assert resolved(**GIVEN, cfg="stylegan2", map_depth=None).options.map_depth == 8
    assert "glr" not in resolved(**GIVEN, glr=0.1).reasons


def test_every_option_survives_json():
    options = resolved(**GIVEN, time_limit=60.0).options
    assert TrainOptions(**json.loads(json.dumps(options.to_dict()))) == options


def test_the_time_limit_belongs_to_one_process():
    assert resolved(**GIVEN, own=own(time_limit=60.0)).options.time_limit is None


@pytest.mark.parametrize("name", ["outdir", "data", "cfg", "batch", "gamma"])
def test_a_missing_option_is_named_with_what_to_give(name):
    with pytest.raises(UserError, match=rf"^--{name}: missing; .+"):
        resolved(**{**GIVEN, name: None})


def test_a_missing_gamma_is_suggested_for_the_configuration_and_batch():
    with pytest.raises(UserError, match=r"stylegan3-t .*0\.5 at 128x128, 2 at 256x256, 8 at 512x512"):
        resolved(**GIVEN, cfg="stylegan3-t", gamma=None)
    with pytest.raises(UserError, match=r"stylegan2 and --batch=16 .*0\.82 at 256x256"):
        resolved(**GIVEN, batch=16, gamma=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cfg", "stylegan4"), ("gpus", 0), ("batch", 0), ("batch_gpu", 0), ("gamma", -1.0), ("aug", "yes"), ("p", 1.5),
        ("target", 2.0), ("cbase", 0), ("cmax", 0), ("glr", 0.0), ("dlr", -1.0), ("map_depth", 0), ("mbstd_group", 0),
        ("tick", 0.0), ("tick", 0.0001), ("snap", 0), ("workers", -1), ("freezed", -1), ("keep_states", 0),
        ("metrics", "fid50k_full"), ("kimg", "-1"), ("kimg", "ten"), ("kimg", "+5"), ("seed", -1), ("time_limit", 0.0),
        ("precision", "fp8"), ("cache", "disk"), ("select", "prdc.recall"), ("patience", 0.0), ("patience", math.nan),
        ("tick", math.inf), ("gamma", math.inf), ("gamma", math.nan), ("glr", math.nan), ("target", math.nan),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_what_is_allowed(name, value):
    with pytest.raises(UserError, match=re.escape(f"--{name.replace('_', '-')}={value}: ")) as error:
        resolved(**GIVEN, **{name: value})
    assert "\n" not in str(error.value)


def test_metrics_none_is_taken_as_the_paper_writes_it():
    assert resolved(**GIVEN, metrics="None").options.metrics == "None"


def test_a_score_to_select_by_is_one_of_those_that_are_made():
    assert resolved(**GIVEN, metrics="prdc", select="prdc.recall").options.select == "prdc.recall"
    with pytest.raises(UserError, match=r"--select=prdc.recall: not one of --metrics=kad; add it there"):
        resolved(**GIVEN, metrics="kad", select="prdc.recall")


def test_patience_needs_a_score_to_wait_for():
    with pytest.raises(UserError, match=r"--patience=5: needs a score"):
        resolved(**GIVEN, metrics="none", patience=5.0)


def test_a_resumed_run_refuses_other_options_all_in_one_line():
    with pytest.raises(UserError, match=r"--batch is 8, not 16; --gamma is 1.0, not 2.0; only --kimg, --snap") as error:
        resolved(**GIVEN, batch=16, gamma=2.0, own=own())
    assert "--finetune" in str(error.value)
    assert "--precision may change" in str(error.value)


def test_fp32_is_the_references_word_for_a_precision():
    for given in ({}, {"precision": "auto"}, {"precision": "fp32"}):
        found = resolved(**GIVEN, fp32=True, **given)
        assert (found.options.precision, found.reasons["precision"]) == ("fp32", "--fp32=1")
    assert resolved(**GIVEN, fp32=False).options.precision == "auto"
    assert resolved(**GIVEN, fp32=False, precision="bf16").options.precision == "bf16"
    with pytest.raises(UserError, match="--precision=bf16: --fp32=1 asks for fp32; give one"):
        resolved(**GIVEN, fp32=True, precision="bf16")


def test_precision_may_change_where_that_is_asked_for():
    kept = {**own(), "precision": "fp16", "fp32": False}
    assert resolved(**GIVEN, precision="fp32", own=kept).options.precision == "fp32"
    assert resolved(**GIVEN, own=kept).options.precision == "fp16"
    mine = resolved(**GIVEN, precision="fp32").options
    assert not same_run(mine, kept, given=("precision",))  # 'auto' begins a new run then


@pytest.mark.parametrize("older", [{}, {"fp32": True}, {"fp32": False}])
def test_fp32_changes_a_runs_precision_and_is_changed(older):
    """Runs of older versions have kept the flag beside the precision."""
    kept = {**own(), "precision": "fp32", **older}
    assert resolved(**GIVEN, own=kept).options.precision == "fp32"
    assert resolved(**GIVEN, precision="bf16", own=kept).options.precision == "bf16"
    assert resolved(**GIVEN, precision="bf16", fp32=False, own=kept).options.precision == "bf16"
    assert resolved(**GIVEN, fp32=True, own={**kept, "precision": "bf16", "fp32": False}).options.precision == "fp32"


def test_a_run_that_kept_nothing_but_the_flag_is_one_in_float32():
    oldest = {name: value for name, value in own().items() if name != "precision"} | {"fp32": True}
    options = resolved(**GIVEN, own=oldest).options
    assert options.precision == "fp32"
    assert same_run(options, oldest, given=("precision",))


def test_with_fp32_auto_goes_on_with_a_run_in_float32_alone():
    options = resolved(**GIVEN, fp32=True).options
    mine = options.to_dict()
    assert same_run(options, mine, given=("fp32",))
    assert not same_run(options, {**mine, "precision": "bf16"}, given=("fp32",))
    other = resolved(**GIVEN, fp32=False).with_choice("precision", "bf16", "").options
    assert same_run(other, {**mine, "precision": "fp16"}, given=("fp32",))  # --fp32=0 asks for none


def test_with_another_number_of_ranks_what_each_holds_at_a_time_is_chosen_anew():
    kept = {**own(), "batch": 16, "batch_gpu": 16}
    same, other = (resolved(**{**GIVEN, "batch": None}, gpus=n, batch_gpu=None, own=kept).options for n in (1, 2))
    assert (same.batch_gpu, other.batch_gpu) == (16, None)
    resolved(**{**GIVEN, "batch": None}, gpus=2, batch_gpu=8, own=kept)
    with pytest.raises(UserError, match="--batch-gpu is 16, not 8"):
        resolved(**{**GIVEN, "batch": None}, gpus=1, batch_gpu=8, own=kept)


def test_what_may_differ_is_what_the_design_names():
    scores = {"metrics", "select", "patience"}
    assert set(MAY_DIFFER) == scores | {
        "kimg", "snap", "keep_states", "time_limit", "workers", "data", "outdir", "gpus",
        "device",
    }  # fmt: skip
    refuse_differences(dict.fromkeys(MAY_CHANGE, "another"), own())


def test_runs_are_the_same_by_all_that_matters():
    options = resolved(**GIVEN).options
    mine = options.to_dict()
    for name in MAY_DIFFER:
        assert same_run(options, {**mine, name: "another"}, given=())
    for name in set(KEPT) - set(MAY_DIFFER) - set(BY_MACHINE):
        assert not same_run(options, {**mine, name: "another"}, given=())
    for name in BY_MACHINE:
        assert same_run(options, {**mine, name: 4}, given=())  # chosen by the machine it was then
        assert not same_run(options, {**mine, name: 4}, given=(name,))


def test_a_run_from_before_an_option_came_has_its_default():
    options = resolved(**GIVEN).options
    older = {name: value for name, value in options.to_dict().items() if name != "input_lock"}
    assert same_run(options, older, given=())
    assert not same_run(resolved(**GIVEN, cfg="stylegan3-t", input_lock="both").options, older, given=())


def test_an_input_that_is_not_there_cannot_be_locked():
    assert resolved(**GIVEN, cfg="stylegan3-r", input_lock="both").options.input_lock == "both"
    with pytest.raises(UserError, match=r"^--input-lock=both: stylegan2 begins with a constant.*--cfg=stylegan3-t"):
        resolved(**GIVEN, cfg="stylegan2", input_lock="both")
    with pytest.raises(UserError, match=r"^--input-lock=time: must be one of none, rotation, frequency, both"):
        resolved(**GIVEN, cfg="stylegan3-t", input_lock="time")


def test_rows_of_their_own_are_chosen_where_a_network_has_a_place_for_them():
    options = resolved(**GIVEN, cfg="stylegan3-t", row_features=4, row_gains=8).options
    assert (options.row_features, options.row_gains) == (4, 8)
    assert resolved(**GIVEN, cfg="stylegan2", row_gains=8).options.row_gains == 8
    with pytest.raises(UserError, match=r"^--row-features=4: stylegan2's constant has rows of its own.*--row-gains"):
        resolved(**GIVEN, cfg="stylegan2", row_features=4)
    with pytest.raises(UserError, match=r"^--row-gains=-1: must not be negative"):
        resolved(**GIVEN, row_gains=-1)


def test_kimg_is_a_total_and_plus_adds_to_the_runs():
    assert total_kimg("10", None) == 10
    assert total_kimg("0.016", None) == 0.016
    assert total_kimg("+10", own(kimg=20.0)) == 30
    assert total_kimg("12", own(kimg=20.0)) == 12


@pytest.mark.parametrize(
    ("text", "seconds"), [("5h50m", 21000), ("90s", 90), ("90", 90), ("45m", 2700), ("1.5h", 5400), ("1h1m1s", 3661)]
)
def test_times_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5d", "h", "5m5h", "-5"])
def test_other_times_are_refused(text):
    with pytest.raises(UserError, match="--time-limit"):
        seconds_of(text)


def test_expectations_name_what_each_preset_costs():
    for row in presets.expectations():
        assert set(row) == {"preset", "resolution", "sample_rate", "memory_gb", "s_per_kimg", "measured_on"}
