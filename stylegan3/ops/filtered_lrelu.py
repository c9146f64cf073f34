# SPDX-License-Identifier: Apache-2.0
"""Filtered leaky ReLU: bias, upsample, leaky relu, clamp, downsample in one differentiable step.

    y = D phi(U (x + b)),    phi(v) = clamp(gain * leaky_relu(v))       Karras et al. 2021, section 3.1 and appendix D

U and D are banded matrices (bands.py); gain > 0 goes into U. phi is piecewise linear, so with s = phi' at U(x + b)

    gradient:           g_x = U^T (s . D^T g_y)
    gradient of that:   g_{g_y} = D (s . U g_{g_x})        and nothing to x, almost everywhere.

Both are the same pass with s in place of phi. An *engine* runs it: a kernel that keeps s in 2 bits a raised sample
(plans.py), or plain PyTorch, which keeps x and makes s again (tiles.py). engines.py chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.bias_act import SQRT2, bias_act
from stylegan3.ops.engines import engine_for
from stylegan3.ops.interfaces import Engine, Impl
from stylegan3.ops.plans import Plan, plan_for
from stylegan3.ops.pointwise import wide
from stylegan3.ops.resampling import Filter, constant, sides
from stylegan3.ops.upfirdn import upfirdn2d


class _FilteredLrelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, b: Tensor | None, plan: Plan, engine: Engine, keep: bool) -> Tensor:
        y, kept = engine.forward(x, b, plan, keep)
        if keep:
            ctx.save_for_backward(*kept)
        ctx.plan, ctx.engine, ctx.biases = plan, engine, 0 if b is None else len(b)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        g_x: Tensor = _Linear.apply(grads[0], ctx.plan, ctx.engine, True, *ctx.saved_tensors)
        g_b = None
        if ctx.needs_input_grad[1]:
            # planes first: all at once, torch copies reduced precision to float32 on a CPU, 30 times as slow
            planes = g_x.sum(dim=(2, 3))
            g_b = planes.view(planes.numel() // ctx.biases, ctx.biases).sum(dim=0, dtype=wide(g_x.dtype))
        return g_x, g_b, None, None, None


class _Linear(torch.autograd.Function):
    """g -> U^T (s . D^T g) where ``backward``, else D (s . U g); each is the other's gradient."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, plan: Plan, engine: Engine, backward: bool, *kept: Tensor | None) -> Tensor:
        ctx.save_for_backward(*kept)
        ctx.plan, ctx.engine, ctx.turned = plan, engine, not backward
        return engine.linear(g, kept, plan, backward)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        kept = ctx.saved_tensors
        g: Tensor = _Linear.apply(grads[0], ctx.plan, ctx.engine, ctx.turned, *kept)
        return g, None, None, None, *(None for _ in kept)


def filtered_lrelu(
    x: Tensor,
    fu: Filter = None,
    fd: Filter = None,
    b: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    gain: float = SQRT2,
    slope: float = 0.2,
    clamp: float | None = None,
    flip_filter: bool = False,
    impl: Impl = "auto",
) -> Tensor:
    """Add a bias, upsample, apply a leaky relu with gain and clamp, downsample; differentiable to any order.

    Args:
        fu, fd: filters of the two resamplings, 1-D (both axes) or 2-D; None is the identity.
        b: one bias a channel, or k C of them, for k pictures in turn (blocks.py).
        padding: samples at the raised rate, x0, x1, y0, y1; negative crops.
        impl: which way to compute it, see engines.py.

    Raises:
        NetworkError: for other biases, or a gain that isn't above 0.

    Shape: x [N, C, H, W], b [C] or [k C] -> [N, C, (H*up + y0 + y1 - taps_u + 1 - taps_d) // down + 1, the same of W].
    """
    turns = _turns(x, b)
    if turns > 1 and (impl == "reference" or x.device.type != "cpu"):  # which know one bias a channel
        whole = x.reshape(len(x) // turns, turns * x.shape[1], *x.shape[2:])
        y = filtered_lrelu(
            whole, fu, fd, b, up=up, down=down, padding=padding, gain=gain, slope=slope, clamp=clamp,
            flip_filter=flip_filter, impl=impl,
        )  # fmt: skip
        return y.reshape(*x.shape[:2], *y.shape[2:])
    if impl == "reference":
        y = bias_act(x, b, impl=impl)
        y = upfirdn2d(y, fu, up=up, padding=padding, gain=up**2, flip_filter=flip_filter, impl=impl)
        y = bias_act(y, act="lrelu", alpha=slope, gain=gain, clamp=clamp, impl=impl)
        return upfirdn2d(y, fd, down=down, flip_filter=flip_filter, impl=impl)
    if gain <= 0:
        raise NetworkError(f"gain {gain}: must be above 0")
    size = (x.shape[2], x.shape[3])
    plan = plan_for(constant(fu), constant(fd), up, down, sides(padding), size, (gain, slope, clamp), flip_filter)
    return run_by(engine_for(x, plan, impl), x, b, plan)


def _turns(x: Tensor, b: Tensor | None) -> int:
    """Return how many pictures in turn have biases of their own."""
    channels = x.shape[1]
    if b is None:
        return 1
    if len(b) == channels and b.ndim == 1:
        return 1
    if b.ndim != 1 or not channels or not len(b) or len(b) % channels or len(x) * channels % len(b):
        raise NetworkError(
            f"{tuple(b.shape)} biases for pictures {tuple(x.shape)}: one a channel, of k pictures in turn"
        )
    return len(b) // channels


def run_by(engine: Engine, x: Tensor, b: Tensor | None, plan: Plan) -> Tensor:
    """Run a plan by one engine, whichever was chosen; differentiable to any order."""
    keep = torch.is_grad_enabled() and (x.requires_grad or (b is not None and b.requires_grad))
    apply: Callable[..., Tensor] = _FilteredLrelu.apply
    return apply(x, b, plan, engine, keep)
