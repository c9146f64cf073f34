# SPDX-License-Identifier: Apache-2.0
"""The filtered leaky relu on a card is the definition, in every precision and layout, and so are its gradients."""

import pytest
import torch

from stylegan3.ops.native.cuda import Cuda
from stylegan3.ops.plans import unpack
from stylegan3.ops.resampling import apply_terms
from tests.stylegan3.native.blocks import LAYERS, SLOPE, Layer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

# arithmetic and storage, of the largest value; float16 and bfloat16 keep 11 and 8 bits
ALLOWED = {torch.float64: 1e-13, torch.float32: 2e-6, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
TIE = 1e-5

layers = pytest.mark.parametrize("name", LAYERS)
types = pytest.mark.parametrize("dtype", ALLOWED)
tiles = pytest.mark.parametrize("tile", [(0, 0), (4, 8)])


def error(y: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the largest difference, of the largest value."""
    assert y.shape == wanted.shape
    return float((y.cpu().double() - wanted.double()).abs().max() / wanted.double().abs().max())


@tiles
@types
@layers
def test_it_is_the_definition(name, dtype, tile):
    layer = LAYERS[name]
    x, b = layer.inputs(dtype=dtype)
    wanted = layer.by_definition(x.double(), b.double())
    y = layer.by(Cuda(tile), x.cuda(), b.cuda())
    assert y.dtype == dtype
    assert error(y, wanted) <= ALLOWED[dtype] + 2e-6 * (dtype != torch.float64)
    last = layer.by(Cuda(tile), x.cuda().contiguous(memory_format=torch.channels_last), b.cuda())
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, y)


@tiles
@layers
def test_codes_are_those_of_the_raised_samples(name, tile):
    layer = LAYERS[name]
    plan = layer.plan
    x, b = layer.inputs(dtype=torch.float32)
    codes = Cuda(tile).forward(x.cuda(), b.cuda(), plan, True)[1][0]
    raised = apply_terms((x.double() + b.double()[:, None, None]).flatten(0, 1), plan.up)
    clamp = float("inf") if plan.clamp is None else plan.clamp
    outside = (raised <= -clamp / SLOPE) | (raised >= clamp)
    wanted = torch.where(outside, 2, (raised <= 0).int()).to(torch.uint8)
    clear = torch.stack([(raised - corner).abs() > TIE for corner in (0.0, clamp, -clamp / SLOPE)]).all(0)
    assert codes is not None
    assert torch.equal(unpack(codes.cpu(), plan.raised[0])[clear], wanted[clear])


@tiles
@pytest.mark.parametrize("name", ["2/2", "4/2 phases", "2/4", "24 taps"])
def test_numerical_gradients_agree_to_second_order(name, tile):
    layer = LAYERS[name]
    small = Layer(layer.up, layer.down, layer.taps, layer.padding, (10, 12), layer.clamp)
    x, b = (t.cuda().requires_grad_() for t in small.inputs(1, 2))
    assert torch.autograd.gradcheck(lambda x, b: small.by(Cuda(tile), x, b), (x, b), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x, b: small.by(Cuda(tile), x, b), (x, b), fast_mode=True)


@types
@layers
def test_gradients_are_the_definitions(name, dtype):
    layer = LAYERS[name]
    x, b = layer.inputs(dtype=dtype)
    x_there, b_there = x.cuda().requires_grad_(), b.cuda().requires_grad_()
    x, b = x.double().requires_grad_(), b.double().requires_grad_()
    mine = torch.autograd.grad(layer.by(Cuda(), x_there, b_there).sum(), x_there)[0]
    wanted = torch.autograd.grad(layer.by_definition(x, b).sum(), x)[0]
    assert error(mine, wanted) <= ALLOWED[dtype] + 1e-5 * (dtype != torch.float64)


def test_more_planes_than_a_grid_has_rows():
    layer = Layer(2, 2, (12, 12), (11, 10, 11, 10), (4, 5))
    x, b = layer.inputs(70, 1000, torch.float32)
    y = layer.by(Cuda(), x.cuda(), b.cuda())
    assert error(y[-1:], layer.by_definition(x[-1:].double(), b.double())) < 2e-6


def test_an_empty_batch_has_an_empty_result():
    layer = LAYERS["4/2"]
    x, b = layer.inputs(0, 3, torch.float16)
    assert layer.by(Cuda(), x.cuda(), b.cuda()).shape == (0, 3, *layer.plan.size)


def test_it_runs_on_the_current_stream():
    layer = LAYERS["2/2"]
    x, b = layer.inputs(8, 64, torch.float32)
    side = torch.cuda.Stream()
    x_there, b_there = x.cuda(), b.cuda()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        graph = torch.cuda.CUDAGraph()
        layer.by(Cuda(), x_there, b_there)
        torch.cuda.synchronize()
    with torch.cuda.graph(graph):  # work on any other stream would be an error here
        y = layer.by(Cuda(), x_there, b_there)
    graph.replay()
    torch.cuda.synchronize()
    assert error(y, layer.by_definition(x.double(), b.double())) < 2e-6
