# SPDX-License-Identifier: Apache-2.0
import json
import math

import pytest
import torch

from patches.errors import UserError
from patches.scaling import SCALINGS, Compand, Linear, floored_scales, scaling_from_dict

FREQUENCIES, FRAMES = 8, 6
ROUND_TRIP_DB = 130.0  # float32 keeps 144 dB; the exponential costs about 5 x its argument's rounding
ROWS = tuple(0.02 * 2.0**k for k in range(FREQUENCIES))
PACKED = Compand(ROWS, dc=40.0)
DROPPED = Compand(ROWS)
LINEAR = Linear(290.0)
ALL = pytest.mark.parametrize("scaling", [PACKED, DROPPED, LINEAR], ids=["packed", "dropped", "linear"])


def random_canvas(seed: int, spread_db: float = 120.0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Values from far below the scales up to 20 dB above them. Shape: [3, 4, F, T]."""
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(3, 4, FREQUENCIES, FRAMES, generator=rng, dtype=torch.float64)
    level_db = 20 - spread_db * torch.rand(3, 4, FREQUENCIES, FRAMES, generator=rng, dtype=torch.float64)
    return (noise * torch.tensor(ROWS, dtype=torch.float64)[:, None] * 10 ** (level_db / 20)).to(dtype)


def snr_db(wanted: torch.Tensor, got: torch.Tensor) -> float:
    wanted, got = wanted.double(), got.double()
    return float(10 * torch.log10(wanted.square().sum() / (wanted - got).square().sum()))


def modulus(canvas: torch.Tensor) -> torch.Tensor:
    return torch.view_as_complex(canvas.unflatten(-3, (-1, 2)).movedim(-3, -1).contiguous()).abs()


@ALL
def test_round_trip_is_exact_to_float32_at_every_level(scaling):
    canvas = random_canvas(0)
    back = scaling.from_model(scaling.to_model(canvas))
    assert snr_db(canvas, back) >= ROUND_TRIP_DB
    relative = ((back - canvas).abs() / modulus(canvas).repeat_interleave(2, 1)).max()
    assert relative < 3e-6  # also the quietest value keeps 110 dB


@ALL
def test_the_other_round_trip_is_exact_too(scaling):
    picture = 1.5 * torch.randn(2, 4, FREQUENCIES, FRAMES, generator=torch.Generator().manual_seed(1))
    assert snr_db(picture, scaling.to_model(scaling.from_model(picture))) >= ROUND_TRIP_DB


@ALL
def test_float64_round_trip_has_no_hidden_approximation(scaling):
    canvas = random_canvas(2, spread_db=300, dtype=torch.float64)
    assert snr_db(canvas, scaling.from_model(scaling.to_model(canvas))) >= 280


def test_curve_is_the_formula_on_each_row():
    ratio = torch.tensor([1e-4, 0.003, 0.01, 0.02, 0.3, 1.0])
    canvas = torch.zeros(4, FREQUENCIES, len(ratio))
    canvas[0] = 0.6 * ratio * torch.tensor(ROWS)[:, None]
    canvas[1] = 0.8 * ratio * torch.tensor(ROWS)[:, None]
    expected = torch.log1p(ratio / 0.01) / math.log1p(100)
    y = DROPPED.to_model(canvas)
    torch.testing.assert_close(y[0], 0.6 * expected.expand(FREQUENCIES, -1), rtol=1e-5, atol=0)
    torch.testing.assert_close(y[1], 0.8 * expected.expand(FREQUENCIES, -1), rtol=1e-5, atol=0)
    assert not y[2:].any()


def test_beyond_one_it_goes_on_straight_with_the_slope_at_one():
    canvas = torch.zeros(4, FREQUENCIES, 4)
    canvas[2] = torch.tensor([0.9999, 1.0001, 5.0, 9.0]) * torch.tensor(ROWS)[:, None]
    y = DROPPED.to_model(canvas)[2]
    slope = 1 / (1.01 * math.log1p(100))
    torch.testing.assert_close(y[:, 3] - y[:, 2], torch.full((FREQUENCIES,), 4 * slope))
    torch.testing.assert_close((y[:, 1] - y[:, 0]) / 2e-4, torch.full((FREQUENCIES,), slope), rtol=0.02, atol=0)


def test_an_overshoot_of_a_third_becomes_a_factor_of_2_4_not_of_4():
    picture = torch.zeros(4, FREQUENCIES, 1)
    picture[0] = 1.3
    level = DROPPED.from_model(picture)[0, :, 0] / torch.tensor(ROWS)
    torch.testing.assert_close(level, torch.full((FREQUENCIES,), 1 + 0.3 * 1.01 * math.log1p(100)))
    assert torch.isfinite(DROPPED.from_model(picture * 1e6)).all()


def test_nyquist_and_dc_are_scaled_apart_each_by_its_own_scale():
    canvas = torch.zeros(4, FREQUENCIES, 1)
    canvas[0, 0], canvas[1, 0] = ROWS[0], -40.0
    y = PACKED.to_model(canvas)
    torch.testing.assert_close(y[:, 0, 0], torch.tensor([1.0, -1.0, 0.0, 0.0]))
    canvas[1, 0] = 0  # Nyquist does not hear of DC
    assert PACKED.to_model(canvas)[0, 0] == y[0, 0]


@pytest.mark.parametrize("turn", ["polarity", "swap", "phase"])
def test_turns_are_isometries_of_model_space(turn):
    def turned(x: torch.Tensor) -> torch.Tensor:
        if turn == "polarity":
            return -x
        if turn == "swap":
            return torch.cat([x[:, :2], -x[:, 2:]], 1)
        re, im = x[:, 0::2], x[:, 1::2]
        return torch.stack([0.6 * re - 0.8 * im, 0.8 * re + 0.6 * im], 2).flatten(1, 2)

    canvas = random_canvas(3)
    torch.testing.assert_close(DROPPED.to_model(turned(canvas)), turned(DROPPED.to_model(canvas)), rtol=1e-5, atol=1e-6)


@ALL
def test_shape_is_free_in_front_and_the_batch_changes_nothing(scaling):
    canvas = random_canvas(4)
    whole = scaling.to_model(canvas)
    torch.testing.assert_close(scaling.to_model(canvas[1]), whole[1], rtol=1e-6, atol=0)
    assert scaling.to_model(canvas[:0]).shape == (0, 4, FREQUENCIES, FRAMES)
    assert scaling.to_model(canvas[None])[0].equal(whole)


@pytest.mark.parametrize("direction", ["to_model", "from_model"])
@pytest.mark.parametrize("scaling", [PACKED, DROPPED], ids=["packed", "dropped"])
def test_gradients_are_right_to_second_order(scaling, direction):
    small = Compand(scaling.rows[:2], scaling.dc)
    x = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    x = x * torch.tensor(small.rows, dtype=torch.float64)[:, None] if direction == "to_model" else x
    x.requires_grad_()
    assert torch.autograd.gradcheck(getattr(small, direction), x, eps=1e-8, atol=1e-4)
    assert torch.autograd.gradgradcheck(getattr(small, direction), x, eps=1e-8, atol=1e-3)


def test_series_joins_the_quotient_to_second_order():
    """Just below and above the switch at r = 1e-4 (x = .01) values and both derivatives agree."""
    scaling = Compand((1.0,), eps=0.01)
    for direction, place in [("to_model", 1e-4), ("from_model", 0.01 / math.log1p(100))]:
        found = []
        for x in (place * (1 - 1e-9), place * (1 + 1e-9)):
            point = torch.zeros(2, 1, 1, dtype=torch.float64)
            point[0] = x
            point.requires_grad_()
            y = getattr(scaling, direction)(point)[0].sum()
            (first,) = torch.autograd.grad(y, point, create_graph=True)
            (second,) = torch.autograd.grad(first[0].sum(), point)
            found.append(torch.stack([y.detach(), first[0, 0, 0].detach(), second[0, 0, 0]]))
        torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=0)


@pytest.mark.parametrize("scaling", [PACKED, DROPPED], ids=["packed", "dropped"])
@pytest.mark.parametrize("level", [0.0, 1e-38, 1e-22, 1e-14, 1e-10, 1e-7, 1e-4])
def test_at_and_near_zero_the_slope_is_that_of_the_curve_and_both_derivatives_are_finite(scaling, level):
    for direction, slope in [("to_model", 1 / (0.01 * math.log1p(100))), ("from_model", 0.01 * math.log1p(100))]:
        scale = scaling._scale.like(torch.zeros(1)).repeat(2, 1, 1)
        unit = scale if direction == "to_model" else torch.ones_like(scale)
        x = (level * unit).expand(4, FREQUENCIES, 2).clone().requires_grad_()
        y = getattr(scaling, direction)(x)
        (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        expected = slope / scale if direction == "to_model" else slope * scale
        torch.testing.assert_close(first.detach(), expected.expand_as(first), rtol=0.02, atol=0)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        assert torch.isfinite(second).all()


@ALL
def test_json_keeps_every_number_exactly(scaling):
    again = scaling_from_dict(json.loads(json.dumps(scaling.to_dict())))
    assert again == scaling
    assert again.to_model(random_canvas(6)).equal(scaling.to_model(random_canvas(6)))


def test_scales_are_floored_at_a_ten_thousandth_of_the_largest():
    scales = floored_scales([0.0, 1e-9, 3.0], dc=200.0)
    assert scales.rows == pytest.approx((0.02, 0.02, 3.0))
    assert scales.dc == 200.0
    assert floored_scales([0.0, 5.0], dc=None).rows == pytest.approx((5e-4, 5.0))
    assert Linear.fit(scales).factor == 200.0
    assert Compand.fit(scales).rows == scales.rows


@pytest.mark.parametrize("rows", [[0.0, 0.0], [float("nan"), 1.0], [-1.0, 2.0], []])
def test_statistics_without_a_level_are_refused_in_one_line(rows):
    with pytest.raises(UserError) as error:
        floored_scales(rows, dc=None)
    assert "\n" not in str(error.value)


def test_wrong_uses_are_named():
    with pytest.raises(UserError, match=r"allowed: \[\.\.\., C, 8, T\]"):
        PACKED.to_model(torch.zeros(4, 7, 3))
    with pytest.raises(UserError, match="compand, linear"):
        scaling_from_dict({"name": "cube"})
    with pytest.raises(UserError, match="finite and > 0"):
        Linear(0.0)
    with pytest.raises(UserError, match="one scale a row"):
        Compand((1.0, -1.0))
    assert set(SCALINGS) == {"compand", "linear", "standard", "unit"}


@ALL
def test_it_works_where_its_pictures_lie(scaling):
    """The meta device computes nothing but refuses any mixture with the CPU, as a GPU does."""
    picture = torch.empty(2, 4, FREQUENCIES, FRAMES, device="meta")
    assert scaling.to_model(scaling.from_model(picture)).device.type == "meta"
