# SPDX-License-Identifier: Apache-2.0
"""Whether a way of computing an operation agrees with its definition: values, gradients and the gradients of those.

The definition is computed in float64. A value's error is the largest one, those of gradients are in the mean square,
since a sample on a kink may fall to either side; all relative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.bias_act import bias_act
from stylegan3.ops.convolution import conv2d
from stylegan3.ops.filtered_lrelu import filtered_lrelu
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.modulation import modulated_conv2d
from stylegan3.ops.plans import Plan
from stylegan3.ops.selftest import CASES, Case, draw
from stylegan3.ops.upfirdn import upfirdn2d

Run = Callable[..., Tensor]
FIR = (0.125, 0.375, 0.375, 0.125)


@dataclass(frozen=True)
class Subject:
    """An operation at one size: the shapes of its tensors, and a function of the way to compute it and of them."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    function: Callable[..., Tensor]
    plan: Plan | None = None  # of a filtered leaky relu

    def by(self, impl: Impl) -> Run:
        """Return the operation computed in one way."""
        return lambda *given: self.function(impl, *given)

    def drawn(self, kind: torch.dtype, device: torch.device) -> list[Tensor]:
        """Return seeded normal numbers, those that a type of this precision can hold."""
        return [draw(shape, seed, kind, device) for seed, shape in enumerate(self.shapes)]


def lrelu(case: Case, channels: int = 3, batch: int = 2) -> Subject:
    """Return the filtered leaky relu of a case, with a clamp that some samples reach."""
    fu, fd = case.taps(case.up), case.taps(case.down)

    def run(impl: Impl, x: Tensor, b: Tensor) -> Tensor:
        return filtered_lrelu(
            x, fu, fd, b, up=case.up, down=case.down, padding=case.padding, clamp=1.5, impl=impl
        )  # fmt: skip

    return Subject("filtered_lrelu", ((batch, channels, *case.size), (channels,)), run, case.plan)


def _up(impl: Impl, x: Tensor) -> Tensor:
    return upfirdn2d(x, FIR, up=2, padding=(2, 1, 2, 1), gain=4.0, impl=impl)


def _halve(impl: Impl, x: Tensor) -> Tensor:
    return upfirdn2d(x, FIR, down=2, padding=1, impl=impl)


def _modulate(impl: Impl, x: Tensor, w: Tensor, styles: Tensor) -> Tensor:
    return modulated_conv2d(x, w, styles, padding=1, impl=impl)


def _convolve(impl: Impl, x: Tensor, w: Tensor) -> Tensor:
    if impl == "reference":
        return F.conv2d(x, w, padding=1)
    return conv2d(x, w, padding=1, impl=impl)


def _activate(impl: Impl, x: Tensor, b: Tensor) -> Tensor:
    return bias_act(x, b, act="lrelu", clamp=256.0, impl=impl)  # no sample near a kink


def others(batch: int, channels: int, side: int) -> list[Subject]:
    """Return the operations besides the filtered leaky relu, at one size."""
    x, w = (batch, channels, side, side + 3), (channels + 1, channels, 3, 3)
    return [
        Subject("upfirdn2d, up", (x,), _up),
        Subject("upfirdn2d, down", (x,), _halve),
        Subject("modulated_conv2d", (x, w, (batch, channels)), _modulate),
        Subject("conv2d", (x, w), _convolve),
        Subject("bias_act", (x, (channels,)), _activate),
    ]


SUBJECTS = (*map(lrelu, CASES), *others(4, 50, 40))  # sizes at which Winograd's convolution serves


def derivatives(run: Run, given: Sequence[Tensor]) -> list[list[Tensor]]:
    """Return the value, the gradients for all inputs, and the gradients of those for the first one's and all inputs."""
    inputs = [t.requires_grad_() for t in given]
    y = run(*inputs)
    g = draw(tuple(y.shape), 7, y.dtype, y.device).requires_grad_()
    first = torch.autograd.grad(y, inputs, g, create_graph=True)
    directions = [draw(tuple(f.shape), 8 + i, f.dtype, f.device) for i, f in enumerate(first)]
    second = torch.autograd.grad(first, [g, *inputs], directions, materialize_grads=True)
    return [[y.detach()], [f.detach() for f in first], list(second)]


NAMES = ("value", "gradient", "second gradient")


class Definition:
    """What the definition of a subject gives in float64 for numbers of some precision."""

    def __init__(self, subject: Subject, kind: torch.dtype, device: torch.device) -> None:
        self.given = subject.drawn(kind, device)
        self.right = derivatives(subject.by("reference"), [t.double() for t in self.given])

    def errors(self, run: Run) -> dict[str, float]:
        """Return the largest error of a way of computing: of its value, its gradients and of theirs."""
        found = derivatives(run, [t.clone() for t in self.given])
        return {
            name: max(_error(ours, theirs, largest=name == "value") for ours, theirs in zip(*pair, strict=True))
            for name, *pair in zip(NAMES, found, self.right, strict=True)
        }


def _error(found: Tensor, right: Tensor, largest: bool) -> float:
    if found.shape != right.shape:
        return float("inf")
    apart = found.double() - right
    if not right.any():  # the second gradient of a leaky relu
        return float(apart.abs().max())
    return float(apart.abs().max() / right.abs().max() if largest else apart.norm() / right.norm())
