# SPDX-License-Identifier: Apache-2.0
"""The C++ filtered leaky relu in the precisions of networks: results, codes and gradients are the definition's."""

from dataclasses import replace

import pytest
import torch

from stylegan3.ops.native.cpu import Cpu
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
