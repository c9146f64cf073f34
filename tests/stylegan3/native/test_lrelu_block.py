# SPDX-License-Identifier: Apache-2.0
"""The card's kernel body, run on a CPU: results and gradients are the definition's, whatever the tiles."""

import pytest
import torch

from stylegan3.ops.engines import TILES
from stylegan3.ops.native import block, lrelu
from stylegan3.ops.plans import Plan, pack, plan_for, unpack
from stylegan3.ops.resampling import apply_terms, axis_band
from tests.stylegan3.native.blocks import GAIN, HAS_COMPILER, LAYERS, ROOM, SLOPE, Layer, block_engine, some_taps

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="needs g++")

EXACT = 1e-13  # float64: of the largest value
SINGLE = 2e-6  # float32 arithmetic: of the largest value
TIE = 1e-9  # raised samples this near to a corner of phi may fall on either side of it

layers = pytest.mark.parametrize("name", LAYERS)
tiles = pytest.mark.parametrize("tile", [(0, 0), (4, 4), (8, 20), (12, 4)])


def error(y: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the largest difference, of the largest value."""
    assert y.shape == wanted.shape
    y, wanted = y.detach().double(), wanted.detach().double()
    return float((y - wanted).abs().max() / wanted.abs().max())


@tiles
@layers
def test_it_is_the_definition(name, tile):
    layer = LAYERS[name]
    x, b = layer.inputs()
    assert error(layer.by(block_engine(tile), x, b), layer.by_definition(x, b)) < EXACT
    assert error(layer.by(block_engine(tile), x[:1, :1], None), layer.by_definition(x[:1, :1], None)) < EXACT


@tiles
@layers
def test_codes_are_the_definitions_and_the_cpus(name, tile):
    layer = LAYERS[name]
    plan = layer.plan
    x, b = layer.inputs()
    y, (codes,) = block_engine(tile).forward(x, b, plan, True)
    assert error(y, layer.by_definition(x, b)) < EXACT
    raised = apply_terms((x + b[:, None, None]).flatten(0, 1), plan.up)
    clamp = float("inf") if plan.clamp is None else plan.clamp
    outside = (raised <= -clamp / SLOPE) | (raised >= clamp)
    wanted = torch.where(outside, 2, (raised <= 0).int()).to(torch.uint8)
    clear = torch.stack([(raised - corner).abs() > TIE for corner in (0.0, clamp, -clamp / SLOPE)]).all(0)
    assert all((wanted[clear] == code).any() for code in ((0, 1) if plan.clamp is None else (0, 1, 2)))
    rows, columns = plan.raised
    assert torch.equal(unpack(codes, rows)[clear], wanted[clear])
    assert not (codes[:, -1] >> 2 * ((rows - 1) % 4 + 1)).any()  # nothing beyond the last row
    read = clear & (torch.arange(columns) < (plan.size[1] - 1) * layer.down + max(layer.taps[1], 1))
    by_cpu = lrelu.Cpu().forward(x, b, plan, True)[1][0]
    assert torch.equal(unpack(codes, rows)[read], unpack(by_cpu, rows)[read])


@tiles
@layers
def test_gradients_are_the_definitions_to_second_order(name, tile):
    layer = LAYERS[name]
    x, b = (t.requires_grad_() for t in layer.inputs())
    found = []
    for y in (layer.by(block_engine(tile), x, b), layer.by_definition(x, b)):
        weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape).requires_grad_()
        first = torch.autograd.grad((y * weights).sum(), (x, b), create_graph=True)
        second = torch.autograd.grad(first[0].square().sum() + first[1].square().sum(), weights)
        found.append((*first, *second))
    for mine, wanted in zip(*found, strict=True):
        assert error(mine, wanted) < 10 * EXACT


@pytest.mark.parametrize("name", ["2/2", "4/2 cropped", "2/4", "5 and 7 taps"])
def test_numerical_gradients_agree_to_second_order(name):
    layer = LAYERS[name]
    small = Layer(layer.up, layer.down, layer.taps, layer.padding, (10, 12), layer.clamp)
    x, b = (t.requires_grad_() for t in small.inputs(1, 2))
    engine = block_engine((4, 4))
    assert torch.autograd.gradcheck(lambda x, b: small.by(engine, x, b), (x, b), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x, b: small.by(engine, x, b), (x, b), fast_mode=True)


@tiles
@layers
def test_unrolled_sums_in_float32_are_the_definition(name, tile):
    layer = LAYERS[name]
    x, b = layer.inputs(dtype=torch.float32)
    assert error(layer.by(block_engine(tile), x, b), layer.by_definition(x.double(), b.double())) < SINGLE


@layers
def test_unrolled_gradients_in_float32_are_those_in_float64(name):
    plan = LAYERS[name].plan
    x, b = LAYERS[name].inputs()
    codes = lrelu.Cpu().forward(x, b, plan, True)[1]
    for backward, size in ((True, plan.size), (False, x.shape[2:])):
        g = torch.randn(*x.shape[:2], *size, dtype=torch.float64)
        wanted = lrelu.Cpu().linear(g, codes, plan, backward)
        for tile in ((0, 0), (4, 8)):
            assert error(block_engine(tile).linear(g.float(), codes, plan, backward), wanted) < SINGLE


@layers
def test_bfloat16_is_rounded_once(name):
    layer = LAYERS[name]
    x, b = layer.inputs(dtype=torch.bfloat16)
    y, wanted = layer.by(block_engine(), x, b), layer.by_definition(x.double(), b.double())
    assert y.dtype == torch.bfloat16
    half_a_unit = wanted.abs() * 2.0**-8 + SINGLE * wanted.abs().max()
    assert ((y.double() - wanted).abs() <= half_a_unit).all()


@layers
def test_barriers_keep_threads_apart(name):
    layer = LAYERS[name]
    x, b = layer.inputs(1, 1, torch.float32)  # few barriers: each waits for a core where many want one
    alone, together = (block_engine((8, 8), threads).forward(x, b, layer.plan, True) for threads in (1, 3))
    assert torch.equal(alone[0], together[0])
    assert torch.equal(alone[1][0], together[1][0])


def test_any_strides_are_read_and_channels_stay_innermost():
    layer = LAYERS["2/2"]
    x, b = layer.inputs()
    wanted = layer.by_definition(x, b)
    last = x.contiguous(memory_format=torch.channels_last)
    turned = x.transpose(2, 3).contiguous().transpose(2, 3)
    wide = torch.cat([x, x], dim=3)[..., : x.shape[3]]
    for view in (last, turned, wide):
        assert view.stride() != x.stride()
        y = layer.by(block_engine((4, 8)), view, b)
        assert error(y, wanted) < EXACT
        assert y.is_contiguous(memory_format=torch.channels_last) == (view is last)
    spread = x[:, :1, :1, :1].expand_as(x)  # as the gradient of a sum comes
    assert error(layer.by(block_engine((4, 8)), spread, b), layer.by_definition(spread, b)) < EXACT


@pytest.mark.parametrize("c", [1, 4])
def test_an_empty_batch_has_an_empty_result_and_gradient(c):
    layer = LAYERS["4/2"]
    x, b = (t.requires_grad_() for t in layer.inputs(0, c))
    y = layer.by(block_engine(), x, b)
    assert y.shape == (0, c, *layer.plan.size)
    g_x, g_b = torch.autograd.grad(y.sum(), (x, b))
    assert g_x.shape == x.shape
    assert not g_b.any()


def test_axes_may_have_filters_of_their_own():
    rows, columns = some_taps(5, 3), some_taps(12, 4)
    both = tuple(tuple(r * c for c in columns) for r in rows)
    plan = plan_for(both, some_taps(12, 5), 2, 2, (9, 9, 9, 9), (10, 12), (GAIN, SLOPE, 0.5), False)
    x = torch.randn(2, 2, 10, 12, dtype=torch.float64)
    y, codes = block_engine((4, 4)).forward(x, None, plan, True)
    wanted, wanted_codes = lrelu.Cpu().forward(x, None, plan, True)
    assert error(y, wanted) < EXACT
    assert error(
        block_engine((4, 4)).linear(y, codes, plan, True), lrelu.Cpu().linear(wanted, wanted_codes, plan, True)
    ) < EXACT  # fmt: skip


def test_raised_samples_outside_the_canvas_are_zero():
    taps, size = some_taps(12, 6), (9, 14)
    ups = tuple(axis_band(taps, 2, 1, (5, 4), n, 2.0, False) for n in size)
    downs = tuple(axis_band(taps, 1, 2, (7, 6), u.n_out, 1.0, False) for u in ups)  # reads beyond both ends
    plan = Plan(((ups[0], ups[1]),), ((downs[0], downs[1]),), SLOPE, 0.5)
    x = torch.randn(2, 2, *size, dtype=torch.float64)
    codes = pack(torch.zeros(4, *plan.raised, dtype=torch.uint8))
    line = Plan(plan.up, plan.down, 1.0, None)  # what codes of 0 say
    for tile in ((4, 4), (0, 0)):
        engine = block_engine(tile)
        assert error(engine.forward(x, None, plan, False)[0], TILES.forward(x, None, plan, False)[0]) < EXACT
        assert error(engine.linear(x, (codes,), plan, False), TILES.forward(x, None, line, False)[0]) < EXACT
    with pytest.raises(RuntimeError, match="failure"):  # no tile would own whole bytes of codes
        block_engine().forward(x, None, plan, True)


def test_not_a_number_stays_where_it_is_read():
    layer = LAYERS["2/2"]
    x, b = layer.inputs()
    x[0, 0, 3, 4] = torch.nan
    assert torch.equal(layer.by(block_engine((4, 4)), x, b).isnan(), layer.by_definition(x, b).isnan())


@pytest.mark.parametrize("name", ["2/2", "4/2", "2/4", "24 taps"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tile_is_found_for_a_large_canvas_in_little_room(name, dtype):
    layer = LAYERS[name]
    large = Layer(layer.up, layer.down, layer.taps, layer.padding, (70, 130), layer.clamp)
    x, b = large.inputs(1, 1, dtype)
    for room in (ROOM, ROOM // 2):
        assert error(large.by(block_engine(room=room), x, b), large.by_definition(x.double(), b.double())) < SINGLE
    with pytest.raises(RuntimeError, match="failure"):
        large.by(block_engine(room=1000), x, b)


def test_what_it_cannot_do_is_told():
    plan, x = LAYERS["2/2"].plan, torch.zeros(1)
    assert block.why_not(x, plan) is None
    assert "int32" in block.why_not(x.int(), plan)
    long = plan_for(some_taps(70, 1), (1.0,), 2, 1, (70, 70, 70, 70), (9, 9), (1.0, SLOPE, None), False)
    assert "70 taps" in block.why_not(x, long)
    triple = plan_for(some_taps(6, 1), (1.0,), 3, 1, (6, 6, 6, 6), (9, 9), (1.0, SLOPE, None), False)
    assert "factor" in block.why_not(x, triple)
