# SPDX-License-Identifier: Apache-2.0
"""The filtered leaky relu's kernel equals the definition, its codes and its gradients too, in any layout and tiling."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

pytest.importorskip("triton")

from stylegan3.ops.bias_act import SQRT2, bias_act
from stylegan3.ops.filtered_lrelu import _FilteredLrelu, filtered_lrelu
from stylegan3.ops.filters import lowpass, radial_lowpass
from stylegan3.ops.kernels import lrelu
from stylegan3.ops.kernels.host import INTERPRETED
from stylegan3.ops.plans import Plan, plan_for, unpack
from stylegan3.ops.upfirdn import constant, sides, upfirdn2d

ENGINE = lrelu.TritonLrelu()
FLOAT32 = 2e-6  # of the largest value: a few roundings of sums of 24 products, twice
TIE = 1e-4  # raised samples this close to a corner of phi may fall on either side of it
SHORT = torch.from_numpy(lowpass(12, 4.0, 7.0, 32))
LONG = torch.from_numpy(lowpass(24, 4.0, 3.5, 64))
needs_interpreter = pytest.mark.skipif(not INTERPRETED, reason="float64 has no kernel on a card")


class Case(NamedTuple):
    """A layer: input shape, filters, factors, padding, clamp."""

    shape: tuple[int, int, int, int]
    fu: Tensor | None
    fd: Tensor | None
    up: int
    down: int
    padding: tuple[int, int, int, int]
    clamp: float | None = 0.8

    @property
    def plan(self) -> Plan:
        shape = (SQRT2, 0.2, self.clamp)
        fu, fd, size = constant(self.fu), constant(self.fd), self.shape[2:]
        return plan_for(fu, fd, self.up, self.down, sides(self.padding), size, shape, False)

    def definition(self, x: Tensor, b: Tensor | None) -> Tensor:
        settings: dict[str, Any] = {"up": self.up, "down": self.down, "padding": self.padding, "clamp": self.clamp}
        return filtered_lrelu(x, self.fu, self.fd, b, **settings, impl="reference")

    def draw(self, device: str, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
        """Return x, b and a gradient of y."""
        rng = torch.Generator().manual_seed(5)
        shapes = (self.shape, self.shape[1:2], (*self.shape[:2], *self.plan.size))
        x, b, g = (torch.randn(s, generator=rng, dtype=torch.float64).to(device, dtype) for s in shapes)
        return x, b / 4, g


# The roles of StyleGAN3's layers (shared/reference); canvases take 3 x 2 ragged tiles in the interpreter.
CASES = {
    "same rate": Case((1, 3, 23, 31), SHORT, SHORT, 2, 2, (9, 8, 9, 8)),
    "twice the rate": Case((2, 1, 19, 17), LONG, SHORT, 4, 2, (-6, -9, -6, -9)),
    "cropped to the picture": Case((1, 1, 36, 29), SHORT, SHORT, 2, 2, (-11, -12, -11, -12), None),
    "half the rate": Case((1, 2, 17, 30), SHORT, LONG, 2, 4, (12, 11, 9, 13)),
    "one rate": Case((2, 2, 12, 9), SHORT, SHORT, 1, 1, (11, 12, 10, 7)),
    "no filter": Case((1, 2, 33, 5), None, None, 1, 1, (0, 0, 0, 0)),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
SAME = CASES["same rate"]


def run(x: Tensor, b: Tensor | None, plan: Plan) -> Tensor:
    assert ENGINE.why_not(x, plan) is None
    y: Tensor = _FilteredLrelu.apply(x, b, plan, ENGINE, x.requires_grad)
    return y


def distance(a: Tensor, b: Tensor) -> float:
    """The largest difference, as a part of the largest value."""
    assert a.shape == b.shape
    a, b = a.detach().double(), b.detach().double()
    return float((a - b).abs().max() / b.abs().max())


@every_case
def test_a_pass_equals_the_definition(case: Case, device: str) -> None:
    x, b, _ = case.draw(device)
    assert distance(run(x, b, case.plan), case.definition(x, b)) < FLOAT32
    assert distance(run(x, None, case.plan), case.definition(x, None)) < FLOAT32


def test_factors_of_tf32_are_the_nearest_that_it_holds(device: str) -> None:
    """A card would cut them off: without filters a sample passes as it is, rounded to TF32's eleven bits."""
    torch.backends.cuda.matmul.allow_tf32 = True  # until the fixture takes it back
    plan = plan_for((1.0,), (1.0,), 1, 1, (0, 0, 0, 0), (33, 5), (1.0, 0.2, None), False)
    x = torch.rand(1, 2, 33, 5, generator=torch.Generator().manual_seed(0)).to(device) + 0.25
    mantissa, exponent = torch.frexp(x.double())
    assert torch.equal(run(x, None, plan).double(), torch.ldexp((mantissa * 2**11).round(), exponent - 11))


@every_case
def test_gradients_equal_the_definitions_to_second_order(case: Case, device: str) -> None:
    found = []
    for function in (lambda x, b: run(x, b, case.plan), case.definition):
        x, b, g = (v.requires_grad_() for v in case.draw(device))
        g_x, g_b = torch.autograd.grad(function(x, b), (x, b), g, create_graph=True)
        along = torch.cos(torch.arange(g_x.numel(), device=device)).view_as(g_x)
        (g_g,) = torch.autograd.grad(g_x, g, along)  # D (s . U along)
        found.append((g_x, g_b, g_g))
    for ours, theirs in zip(*found, strict=True):
        assert distance(ours, theirs) < 2 * FLOAT32


@every_case
def test_codes_are_those_of_the_definition(case: Case, device: str) -> None:
    x, b, _ = case.draw(device)
    _, (codes,) = ENGINE.forward(x, b, case.plan, keep=True)
    v = upfirdn2d(bias_act(x, b), case.fu, up=case.up, padding=case.padding, gain=case.up**2, impl="reference")
    v = v.flatten(0, 1) * SQRT2
    a, limit = torch.where(v < 0, 0.2 * v, v), case.clamp or float("inf")
    wanted = torch.where(a.abs() > limit, 2, (v < 0).to(torch.uint8))
    tie = ((v.abs() < TIE) & (v != 0)) | ((a.abs() - limit).abs() < TIE)
    assert codes is not None
    assert codes.shape == (len(v), (v.shape[1] + 3) // 4, v.shape[2])
    assert ((unpack(codes, v.shape[1]) == wanted) | tie).all()
    assert tie.sum() < 0.02 * tie.numel()
    if v.shape[1] % 4:
        assert not (codes[:, -1] >> (2 * (v.shape[1] % 4))).any()  # rows beyond the canvas


@pytest.mark.parametrize("layout", ["channels innermost", "turned", "every second column", "one picture repeated"])
def test_any_layout_of_the_input_gives_the_same(layout: str, device: str) -> None:
    case = SAME._replace(shape=(2, 3, 14, 11))
    x, b, g = case.draw(device)
    if layout == "channels innermost":
        laid = x.contiguous(memory_format=torch.channels_last)
    elif layout == "turned":
        laid = x.transpose(2, 3).contiguous().transpose(2, 3)
    elif layout == "every second column":
        laid = torch.zeros(2, 3, 14, 22, device=device)[..., 1::2].copy_(x)
    else:
        x = laid = x[:1].expand(2, -1, -1, -1)
    laid = laid.detach().requires_grad_()
    y = run(laid, b, case.plan)
    assert not laid.is_contiguous()
    assert distance(y, case.definition(x, b)) < FLOAT32
    assert y.is_contiguous() == (layout != "channels innermost")
    assert y.is_contiguous(memory_format=torch.channels_last) == (layout == "channels innermost")
    (g_x,) = torch.autograd.grad(y, laid, g.transpose(2, 3).contiguous().transpose(2, 3))
    x = x.detach().requires_grad_()
    assert distance(g_x, torch.autograd.grad(case.definition(x, b), x, g)[0]) < FLOAT32


def test_no_pictures_give_no_pictures(device: str) -> None:
    x = torch.empty(0, 3, 23, 31, device=device, requires_grad=True)
    y = run(x, torch.ones(3, device=device), SAME.plan)
    assert y.shape == (0, 3, *SAME.plan.size)
    assert torch.autograd.grad(y.sum(), x)[0].shape == x.shape


# the interpreter cuts bfloat16 off where a card rounds
@pytest.mark.parametrize(("dtype", "roundings"), [(torch.float16, 2), (torch.bfloat16, 4 if INTERPRETED else 2)])
def test_half_precision_is_a_few_roundings_off(dtype: torch.dtype, roundings: int, device: str) -> None:
    x, b, g = (v.requires_grad_() for v in SAME._replace(clamp=None).draw(device, dtype))
    y = run(x, b, SAME._replace(clamp=None).plan)
    wide = SAME._replace(clamp=None).definition(x.float(), b.float())
    assert y.dtype == dtype
    assert distance(y, wide) < roundings * torch.finfo(dtype).eps
    g_y, g_wide = (torch.autograd.grad(z, x, g.to(z.dtype), retain_graph=True)[0] for z in (y, wide))
    near = (g_y.double() - g_wide.double()).norm() / g_wide.double().norm()  # codes differ at a few ties
    assert near < roundings * torch.finfo(dtype).eps


def test_what_is_not_a_number_stays_so_under_a_clamp(device: str) -> None:
    x, b, _ = SAME.draw(device)
    x[0, 1, 11, 15] = float("nan")
    y = run(x, b, SAME.plan)
    assert y[0, 1, 11, 15].isnan()
    assert not y[0, [0, 2]].isnan().any()


def test_a_forward_pass_keeps_two_bits_a_raised_sample(device: str) -> None:
    x, b, _ = (v.requires_grad_() for v in SAME.draw(device))
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        run(x, b, SAME.plan)
    high, wide = SAME.plan.raised
    assert sum(t.nbytes for t in kept) == 3 * ((high + 3) // 4) * wide
    assert ENGINE.forward(x, b, SAME.plan, keep=False)[1] == ()


@pytest.mark.skipif(not INTERPRETED, reason="a card picks among its tilings by itself")
@pytest.mark.parametrize("caps", [*lrelu.HALF, *lrelu.SINGLE], ids=str)
def test_every_tiling_that_a_card_may_pick_gives_the_same(caps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lrelu, "INTERPRETER", caps)
    case = SAME._replace(shape=(1, 1, 31, 61))
    x, b, g = (v.requires_grad_() for v in case.draw("cpu"))
    y, plain = run(x, b, case.plan), case.definition(x, b)
    assert distance(y, plain) < FLOAT32
    g_y, g_plain = (torch.autograd.grad(z, x, g)[0] for z in (y, plain))
    assert distance(g_y, g_plain) < FLOAT32


@needs_interpreter
def test_gradients_are_right_to_second_order_in_float64() -> None:
    case = Case((1, 2, 5, 4), LONG, SHORT, 4, 2, (12, 10, 10, 12), 0.9)
    x, b, _ = (v.requires_grad_() for v in case.draw("cpu", torch.float64))
    assert gradcheck(lambda x, b: run(x, b, case.plan), (x, b), fast_mode=True)
    assert gradgradcheck(lambda x, b: run(x, b, case.plan), (x, b), fast_mode=True)


def test_what_it_cannot_serve_it_says(device: str) -> None:
    x, _, _ = SAME.draw(device)
    radial = torch.from_numpy(radial_lowpass(12, 4.0, 7.0, 32))
    whole = "padding between the activation and the second filter"
    assert "not separable" in str(ENGINE.why_not(x, SAME._replace(fd=radial).plan))
    assert "up 3" in str(ENGINE.why_not(x, SAME._replace(up=3).plan))
    assert "too long for a tile" in str(ENGINE.why_not(x, SAME._replace(fu=torch.ones(90), padding=(90,) * 4).plan))
    assert ENGINE.why_not(x, SAME.plan.transposed) == whole
    assert "slope 1.5" in str(ENGINE.why_not(x, replace(SAME.plan, slope=1.5)))
    assert "samples" in str(ENGINE.why_not(x[:, :1].expand(1, 2**21, -1, -1), SAME.plan))
    assert "int8" in str(ENGINE.why_not(x.to(torch.int8), SAME.plan))
    assert ENGINE.why_not(x, SAME.plan) is None
