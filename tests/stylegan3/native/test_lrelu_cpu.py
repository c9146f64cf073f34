# SPDX-License-Identifier: Apache-2.0
"""The C++ filtered leaky relu in the precisions of networks: results, codes and gradients are the definition's."""

from dataclasses import replace

import pytest
import torch

from stylegan3.ops.native.lrelu import Cpu
from stylegan3.ops.plans import unpack
from tests.stylegan3.native.blocks import HAS_COMPILER, LAYERS, Layer

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="needs g++")

SINGLE = 2e-6  # float32 arithmetic: of the largest value

NETWORKS = {
    "T layer": Layer(2, 2, (12, 12), (9, 8, 9, 8), (86, 47)),
    "T layer, larger": Layer(4, 2, (24, 12), (-6, -9, -6, -9), (45, 50)),
    "2 to 4": Layer(2, 4, (12, 24), (18, 17, 18, 17), (79, 45)),
    "rows left over": Layer(2, 2, (12, 12), (9, 8, 9, 9), (50, 19)),
    "unclamped": Layer(2, 2, (12, 12), (9, 8, 9, 8), (40, 33), None),
}
NETWORKS |= {f"{name}, mirrored": replace(shape, mirrored=True) for name, shape in NETWORKS.items()}
NETWORKS |= {
    "clamp out of reach": Layer(2, 2, (12, 12), (9, 8, 9, 8), (54, 38), 1e3, mirrored=True),
    "larger, clamp out of reach": Layer(4, 2, (24, 12), (2, -1, 2, -1), (34, 50), 1e3, mirrored=True),
    "rows of all phases": Layer(4, 2, (24, 12), (2, -1, 3, -2), (37, 21), mirrored=True),
    "columns of all phases": Layer(4, 2, (24, 12), (3, -2, 1, 0), (21, 23), mirrored=True),
    "other phase, 2 to 4": Layer(2, 4, (12, 24), (17, 18, 17, 18), (61, 33), mirrored=True),
    "cropped": Layer(2, 2, (12, 12), (-7, -8, -7, -8), (82, 41), mirrored=True),
}
layers = pytest.mark.parametrize("name", [*LAYERS, *NETWORKS])
ENGINE = Cpu()


def layer(name: str) -> Layer:
    return (LAYERS | NETWORKS)[name]


def error(y: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the largest difference, of the largest value."""
    assert y.shape == wanted.shape
    return float((y.detach().double() - wanted).abs().max() / wanted.abs().max())


@layers
@pytest.mark.parametrize("planes", [(1, 1), (2, 3)])
def test_float32_is_the_definition(name, planes):
    """One plane is cut into parts, which threads share."""
    x, b = layer(name).inputs(*planes)
    assert (
        error(ENGINE.forward(x.float(), b.float(), layer(name).plan, False)[0], layer(name).by_definition(x, b))
        < SINGLE
    )


@layers
def test_keeping_codes_changes_no_result(name):
    x, b = layer(name).inputs(1, 2, torch.float32)
    kept, plain = (ENGINE.forward(x, b, layer(name).plan, keep)[0] for keep in (True, False))
    assert error(kept, plain.double()) < SINGLE


@layers
@pytest.mark.parametrize("planes", [(1, 1), (2, 3)])
def test_codes_in_float32_are_those_in_float64(name, planes):
    x, b = layer(name).inputs(*planes)
    single, double = (
        unpack(ENGINE.forward(x.to(kind), b.to(kind), layer(name).plan, True)[1][0], layer(name).plan.raised[0])
        for kind in (torch.float32, torch.float64)
    )
    read = (layer(name).plan.size[1] - 1) * layer(name).down + max(layer(name).taps[1], 1)
    assert (single != double)[..., :read].float().mean() < 1e-5  # ties


@layers
@pytest.mark.parametrize("backward", [True, False])
def test_linear_passes_in_float32_are_those_in_float64(name, backward):
    x, b = layer(name).inputs(1, 2)
    plan = layer(name).plan
    codes = ENGINE.forward(x, b, plan, True)[1]
    size = plan.size if backward else x.shape[2:]
    g = torch.randn(1, 2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert error(ENGINE.linear(g.float(), codes, plan, backward), ENGINE.linear(g, codes, plan, backward)) < SINGLE


@layers
def test_gradients_are_the_definitions(name):
    found = []
    for kind in (torch.float32, torch.float64):
        x, b = (t.requires_grad_() for t in layer(name).inputs(1, 2, kind))
        y = layer(name).by(ENGINE, x, b) if kind == torch.float32 else layer(name).by_definition(x, b)
        weights = torch.linspace(-1, 2, y.numel(), dtype=torch.float64).reshape(y.shape).to(kind)
        found.append(torch.autograd.grad((y * weights).sum(), (x, b)))
    for g, wanted in zip(*found, strict=True):
        assert error(g, wanted) < SINGLE


@layers
def test_bfloat16_is_rounded_once(name):
    x, b = layer(name).inputs(dtype=torch.bfloat16)
    y, wanted = ENGINE.forward(x, b, layer(name).plan, False)[0], layer(name).by_definition(x.double(), b.double())
    assert ((y.double() - wanted).abs() <= wanted.abs() * 2.0**-8 + SINGLE * wanted.abs().max()).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_stays_so_where_it_reaches(name, value):
    x, b = layer(name).inputs(1, 2)
    x[0, 1, 20, 11] = value
    y, wanted = ENGINE.forward(x.float(), b.float(), layer(name).plan, False)[0], layer(name).by_definition(x, b)
    assert torch.equal(y.isnan(), wanted.isnan())
    assert y.isnan().any() or value == value


@pytest.mark.parametrize("slope", [0.0, 1.0, 1.5, -0.3])
def test_any_slope_serves(slope):
    shape = layer("T layer")
    x, b = shape.inputs(1, 2)
    plan = replace(shape.plan, slope=slope)
    y, wanted = (ENGINE.forward(x.to(kind), b.to(kind), plan, False)[0] for kind in (torch.float32, torch.float64))
    assert error(y, wanted) < SINGLE


MIRRORED = [name for name, shape in NETWORKS.items() if shape.mirrored]


@pytest.mark.parametrize("name", MIRRORED)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_clamp_that_one_plane_reaches_is_that_planes(name, kind):
    """Planes that don't reach it take a shorter way."""
    shape = replace(layer(name), clamp=50.0)
    x, b = shape.inputs(2, 3, kind)
    x[1, 1] *= 1000
    b[2] = 60
    half = 2.0**-8 if kind == torch.bfloat16 else 0.0
    for y in (ENGINE.forward(x, b.float(), shape.plan, keep)[0] for keep in (True, False)):
        wanted = shape.by_definition(x.double(), b.double())
        assert ((y.double() - wanted).abs() <= wanted.abs() * half + SINGLE * wanted.abs().max()).all()
    single, double = (
        unpack(ENGINE.forward(x.to(k), b.to(k), shape.plan, True)[1][0], shape.plan.raised[0])
        for k in (torch.float32, torch.float64)
    )
    read = (shape.plan.size[1] - 1) * shape.down + shape.taps[1]
    assert (double[..., :read] == 2).flatten(1).any(1).tolist() == [False, False, True, False, True, True]
    assert (single != double)[..., :read].float().mean() < 1e-5


@pytest.mark.parametrize("name", MIRRORED)
def test_zero_is_on_the_side_of_the_slope(name):
    shape = layer(name)
    x, b = (torch.zeros_like(t) for t in shape.inputs(1, 2, torch.float32))
    codes = unpack(ENGINE.forward(x, b, shape.plan, True)[1][0], shape.plan.raised[0])
    read = (shape.plan.size[1] - 1) * shape.down + shape.taps[1]
    assert (codes[..., :read] == 1).all()


@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", MIRRORED)
def test_linear_passes_are_transposes_of_each_other(name, kind, backward):
    """<g, D (s . U x)> = <U^T (s . D^T g), x>."""
    shape = layer(name)
    x, b = shape.inputs(1, 2, kind)
    codes = ENGINE.forward(x, b.float(), shape.plan, True)[1]
    g = torch.randn(1, 2, *shape.plan.size, generator=torch.Generator().manual_seed(3)).to(kind)
    given, there = (g, x) if backward else (x, g)
    found = ENGINE.linear(given, codes, shape.plan, backward).double()
    exact = ENGINE.linear(given.double(), codes, shape.plan, backward)
    half = 2.0**-8 if kind == torch.bfloat16 else 0.0
    assert ((found - exact).abs() <= exact.abs() * half + SINGLE * exact.abs().max()).all()
    other = ENGINE.linear(there.double(), codes, shape.plan, not backward)
    assert float((exact * there.double()).sum()) == pytest.approx(float((other * given.double()).sum()), rel=1e-10)


@pytest.mark.parametrize("width", range(3, 37))
def test_every_width_serves(width):
    """Rows end anywhere in a vector."""
    shape = Layer(2, 2, (12, 12), (9, 8, 9, 8), (9, width), mirrored=True)
    for kind, half in ((torch.float32, 0.0), (torch.bfloat16, 2.0**-8)):
        x, b = shape.inputs(1, 3, kind)
        wanted = shape.by_definition(x.double(), b.double())
        y, codes = ENGINE.forward(x, b.float(), shape.plan, True)
        assert ((y.double() - wanted).abs() <= wanted.abs() * half + SINGLE * wanted.abs().max()).all()
        g = ENGINE.linear(y, codes, shape.plan, True).double()
        wanted = ENGINE.linear(y.double(), codes, shape.plan, True)
        assert ((g - wanted).abs() <= wanted.abs() * half + SINGLE * wanted.abs().max()).all()
