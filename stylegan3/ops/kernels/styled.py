# SPDX-License-Identifier: Apache-2.0
"""The pointwise end of StyleGAN2's convolution, in one read and one write.

    y = clamp(gain * leaky_relu(z)),    z[n,o,h,w] = conv[n,o,h,w] d[n,o] + level[.,1,h,w] + bias[o]

``d`` demodulates (Karras et al. 2020, section 2.2), ``level`` is the noise times its strength. As gain > 0 and slope >
0, y has the sign of z, so y tells phi'(z); with g_z = phi'(z) g_y,

    g_conv = g_z d,    g_d = sum_hw g_z conv,    g_level = sum_o g_z (and over n where shared),    g_bias = sum_nhw g_z

g_z is linear in g_y and, almost everywhere, constant in z: differentiating those formulas gives the second order.

What bounds it: memory. 4 B a sample in float16 (one read, one write; d, level and bias stay in L2), where the same in
separate operations moves 4 B each. The scale in front of the convolution, x * style, needs no kernel of its own:
torch.mul writes a half-precision ``out`` of float32 factors in one pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from stylegan3.ops.bias_act import SQRT2
from stylegan3.ops.kernels import host
from stylegan3.ops.kernels.host import INTERPRETED
from stylegan3.ops.layout import channels_last

BLOCK = 256 if INTERPRETED else 2048  # samples a program; 16 a thread, 16 bytes a load
LAUNCH = {"num_warps": 4, **host.FUSION}


class Act(NamedTuple):
    """Slope, gain and clamp of the activation."""

    slope: float
    gain: float
    clamp: float | None


@triton.jit
def finished(
    conv: tl.tensor, d: tl.tensor, level: tl.tensor, bias: tl.tensor, y: tl.tensor,
    level_n: tl.tensor, channels: tl.tensor, area: tl.tensor, step_c: tl.tensor, step_s: tl.tensor,
    SLOPE: tl.constexpr, GAIN: tl.constexpr, CLAMP: tl.constexpr, LEVEL: tl.constexpr, SUM: tl.constexpr,
    CHANNELS: tl.constexpr, SAMPLES: tl.constexpr,
) -> None:  # fmt: skip
    """CHANNELS x SAMPLES of one picture; step_c and step_s are its strides, level_n the noise's between pictures."""
    across, deep = tl.cdiv(area, SAMPLES), tl.cdiv(channels, CHANNELS)
    at, n = tl.program_id(0) % (across * deep), (tl.program_id(0) // (across * deep)).to(tl.int64)
    c = at // across * CHANNELS + tl.arange(0, CHANNELS)
    s = at % across * SAMPLES + tl.arange(0, SAMPLES)
    inside = (c < channels)[:, None] & (s < area)[None, :]
    here = n * channels * area + c[:, None] * step_c + s[None, :] * step_s
    z = tl.load(conv + here, mask=inside, other=0.0).to(SUM)
    z = z * tl.load(d + n * channels + c, mask=c < channels, other=0.0).to(SUM)[:, None]
    z += tl.load(bias + c, mask=c < channels, other=0.0).to(SUM)[:, None]
    if LEVEL:
        z += tl.load(level + n * level_n + s, mask=s < area, other=0.0).to(SUM)[None, :]
    z = tl.where(z < 0, z * SLOPE, z) * GAIN
    if CLAMP is not None:
        z = tl.clamp(z, -CLAMP, CLAMP, propagate_nan=tl.PropagateNan.ALL)
    tl.store(y + here, z.to(y.dtype.element_ty), mask=inside)


@triton.jit
def sloped(
    g: tl.tensor, y: tl.tensor, g_z: tl.tensor, count: tl.tensor,
    SLOPE: tl.constexpr, GAIN: tl.constexpr, CLAMP: tl.constexpr, SUM: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """g_z = phi'(z) g, read off y."""
    e = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = e < count
    known = tl.load(y + e, mask=inside, other=0.0).to(SUM)
    v = tl.load(g + e, mask=inside, other=0.0).to(SUM) * GAIN
    v = tl.where(known < 0, v * SLOPE, v)
    if CLAMP is not None:
        v = tl.where(tl.abs(known) < CLAMP, v, 0.0)
    tl.store(g_z + e, v.to(g_z.dtype.element_ty), mask=inside)


def constants(act: Act, dtype: torch.dtype) -> dict[str, Any]:
    """Return what both kernels are compiled for, but for their block."""
    # the clamp as the tensor's type holds it, so that a clamped y is known again
    clamp = None if act.clamp is None else torch.tensor(act.clamp, dtype=dtype).item()
    return {"SLOPE": act.slope, "GAIN": act.gain, "CLAMP": clamp, "SUM": host.sum_type(dtype)}


def block(channels: int, area: int, last: bool) -> dict[str, int]:
    """Return a block of about BLOCK samples, as long as can be along the axis that lies innermost."""
    inner = min(BLOCK, triton.next_power_of_2(channels if last else area))
    outer = min(BLOCK // inner, triton.next_power_of_2(area if last else channels))
    return {"CHANNELS": inner if last else outer, "SAMPLES": outer if last else inner}


def _finish(conv: Tensor, d: Tensor, level: Tensor | None, bias: Tensor, act: Act) -> Tensor:
    y = torch.empty_like(conv)
    if not conv.numel():
        return y
    n, channels, area, last = len(conv), conv.shape[1], conv.shape[2] * conv.shape[3], channels_last(conv)
    chosen = {**constants(act, conv.dtype), "LEVEL": level is not None, **block(channels, area, last)}
    noise = bias if level is None else level.contiguous()
    pointers = (conv, d.contiguous(), noise, bias.contiguous(), y)
    numbers = (area if level is not None and len(level) > 1 else 0, channels, area)
    steps = (1, channels) if last else (area, 1)
    blocks = triton.cdiv(channels, chosen["CHANNELS"]) * triton.cdiv(area, chosen["SAMPLES"])
    with host.on_device(conv):
        finished[(n * blocks,)](*pointers, *numbers, *steps, **chosen, **LAUNCH)
    return y


class _Slope(torch.autograd.Function):
    """g -> phi'(z) g, its own gradient."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, y: Tensor, act: Act) -> Tensor:
        ctx.save_for_backward(y)
        ctx.act = act
        g = torch.empty_like(y).copy_(g) if g.stride() != y.stride() else g  # in the order of y
        g_z = torch.empty_like(y)
        if y.numel():
            with host.on_device(y):
                blocks = triton.cdiv(y.numel(), BLOCK)
                chosen = constants(act, y.dtype)
                sloped[(blocks,)](g, y, g_z, y.numel(), **chosen, BLOCK=BLOCK, **LAUNCH)
        return g_z

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _Slope.apply(grads[0], ctx.saved_tensors[0], ctx.act), None, None


class _Styled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, conv: Tensor, d: Tensor, level: Tensor | None, bias: Tensor, act: Act) -> Tensor:
        y = _finish(conv, d, level, bias, act)
        ctx.save_for_backward(conv, d, y)
        ctx.act, ctx.bias_type = act, bias.dtype
        ctx.level = None if level is None else (level.dtype, len(level))
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        conv, d, y = ctx.saved_tensors
        g = _Slope.apply(grads[0], y, ctx.act)
        wide = torch.promote_types(g.dtype, torch.float32)  # of sums
        need = ctx.needs_input_grad
        g_conv = (g * d[:, :, None, None].to(g.dtype)) if need[0] else None
        g_d = (g * conv).sum(dim=(2, 3), dtype=wide).to(d.dtype) if need[1] else None
        g_level = _level_gradient(g, *ctx.level) if need[2] else None
        g_bias = g.sum(dim=(0, 2, 3), dtype=wide).to(ctx.bias_type) if need[3] else None
        return g_conv, g_d, g_level, g_bias, None


def _level_gradient(g: Tensor, dtype: torch.dtype, pictures: int) -> Tensor:
    axes = (1,) if pictures > 1 or len(g) == 1 else (0, 1)
    return g.sum(dim=axes, dtype=torch.promote_types(g.dtype, torch.float32)).view(pictures, 1, *g.shape[2:]).to(dtype)


def why_not(conv: Tensor) -> str | None:
    """Return why the kernel cannot serve a convolution's result, or None where it can."""
    return host.unserved(conv) or host.too_long(conv)


def styled(
    conv: Tensor,
    d: Tensor,
    level: Tensor | None,
    bias: Tensor,
    *,
    slope: float = 0.2,
    gain: float = SQRT2,
    clamp: float | None = None,
) -> Tensor:
    """Demodulate, add noise and bias, apply a leaky relu with gain and clamp; differentiable to any order.

    Args:
        level: noise times its strength, one for all pictures or one each; None adds nothing.
        slope, gain: above 0.

    Shape: conv [N, O, H, W], d [N, O], level [1 or N, 1, H, W] or [H, W], bias [O] -> [N, O, H, W], in conv's layout.
    """
    dense = conv if channels_last(conv) else conv.contiguous()
    noise = None if level is None else level.view(-1, 1, *conv.shape[2:])
    y: Tensor = _Styled.apply(dense, d, noise, bias, Act(slope, gain, clamp))
    return y
