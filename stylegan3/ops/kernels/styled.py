# SPDX-License-Identifier: Apache-2.0
"""The pointwise end of a convolution, in one read and one write, and all of its gradients in another pass.

    y = clamp(gain * leaky_relu(z)),    z[n,o,h,w] = conv[n,o,h,w] d[n,o] + level[.,1,h,w] + bias[o]

``d`` demodulates (Karras et al. 2020, section 2.2), ``level`` is the noise times its strength. Gradients to any order
are pointwise.py's, with the slope phi'(z) that y tells: sums over places and over channels are begun where the samples
are at hand, by blocks, and ended by PyTorch.

What comes in and what goes out may lie differently: where channels lie innermost in one of them alone, a block is short
along both axes, and every read and write still takes runs of neighbours.

What bounds it: memory. In float16 it moves 4 B a sample forward (one read, one write; d, level and bias stay in L2) and
up to 8 B back, where separate operations move 4 B each forward and 24 B back.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from stylegan3.ops.kernels import host
from stylegan3.ops.kernels.host import INTERPRETED
from stylegan3.ops.layout import channels_last
from stylegan3.ops.pointwise import Act, Four, Scaled, Styled, Wanted, as_like, wide

BLOCK = 256 if INTERPRETED else 2048  # samples a program; 16 a thread, 16 bytes a load
RUN = 64  # neighbours in a block of gradients: both kinds of sums over it leave few numbers
LAUNCH = {"num_warps": 4, **host.FUSION}


@triton.jit
def places(channels: tl.tensor, area: tl.tensor, CHANNELS: tl.constexpr, SAMPLES: tl.constexpr) -> Any:
    """Return which picture, channels and samples are this program's, and what of them is inside."""
    across, deep = tl.cdiv(area, SAMPLES), tl.cdiv(channels, CHANNELS)
    at, n = tl.program_id(0) % (across * deep), (tl.program_id(0) // (across * deep)).to(tl.int64)
    c = at // across * CHANNELS + tl.arange(0, CHANNELS)
    s = at % across * SAMPLES + tl.arange(0, SAMPLES)
    return n, c, s, (c < channels)[:, None] & (s < area)[None, :]


@triton.jit
def lying(
    n: tl.tensor, c: tl.tensor, s: tl.tensor, channels: tl.tensor, area: tl.tensor, step_c: tl.tensor, step_s: tl.tensor
) -> Any:
    """Return where channels and samples of a picture lie, these being the steps to the next one."""
    return n * channels * area + c[:, None] * step_c + s[None, :] * step_s


@triton.jit
def finished(
    conv: tl.tensor, d: tl.tensor, level: tl.tensor, bias: tl.tensor, y: tl.tensor,
    level_n: tl.tensor, channels: tl.tensor, area: tl.tensor,
    x_c: tl.tensor, x_s: tl.tensor, y_c: tl.tensor, y_s: tl.tensor,
    SLOPE: tl.constexpr, GAIN: tl.constexpr, CLAMP: tl.constexpr, SCALED: tl.constexpr, LEVEL: tl.constexpr,
    BIAS: tl.constexpr, SUM: tl.constexpr, CHANNELS: tl.constexpr, SAMPLES: tl.constexpr,
) -> None:  # fmt: skip
    """CHANNELS x SAMPLES of one picture; x_ are conv's strides, y_ are y's, level_n the noise's between pictures."""
    n, c, s, inside = places(channels, area, CHANNELS, SAMPLES)
    z = tl.load(conv + lying(n, c, s, channels, area, x_c, x_s), mask=inside, other=0.0).to(SUM)
    if SCALED:
        z = z * tl.load(d + n * channels + c, mask=c < channels, other=0.0).to(SUM)[:, None]
    if BIAS:
        z += tl.load(bias + c, mask=c < channels, other=0.0).to(SUM)[:, None]
    if LEVEL:
        z += tl.load(level + n * level_n + s, mask=s < area, other=0.0).to(SUM)[None, :]
    z = tl.where(z < 0, z * SLOPE, z) * GAIN
    if CLAMP is not None:
        z = tl.clamp(z, -CLAMP, CLAMP, propagate_nan=tl.PropagateNan.ALL)
    tl.store(y + lying(n, c, s, channels, area, y_c, y_s), z.to(y.dtype.element_ty), mask=inside)


@triton.jit
def graded(
    g: tl.tensor, conv: tl.tensor, d: tl.tensor, y: tl.tensor,
    g_conv: tl.tensor, for_d: tl.tensor, for_level: tl.tensor, for_bias: tl.tensor,
    channels: tl.tensor, area: tl.tensor, x_c: tl.tensor, x_s: tl.tensor, g_c: tl.tensor, g_s: tl.tensor,
    SLOPE: tl.constexpr, GAIN: tl.constexpr, CLAMP: tl.constexpr, LINEAR: tl.constexpr, SCALED: tl.constexpr,
    CONV: tl.constexpr, D: tl.constexpr, LEVEL: tl.constexpr, BIAS: tl.constexpr, SUM: tl.constexpr,
    CHANNELS: tl.constexpr, SAMPLES: tl.constexpr,
) -> None:  # fmt: skip
    """phi'(z) g d and, of CHANNELS x SAMPLES of one picture, the sums that are wanted of phi'(z) g.

    for_d, for_bias [N, channels, blocks of samples]; for_level [N, blocks of channels, area]; g_ are g's strides, x_
    those of all else.
    """
    n, c, s, inside = places(channels, area, CHANNELS, SAMPLES)
    here = lying(n, c, s, channels, area, x_c, x_s)
    v = tl.load(g + lying(n, c, s, channels, area, g_c, g_s), mask=inside, other=0.0).to(SUM)
    if not LINEAR:
        known = tl.load(y + here, mask=inside, other=0.0).to(SUM)
        v = tl.where(known > 0, v * GAIN, v * GAIN * SLOPE)
        if CLAMP is not None:
            v = tl.where(tl.abs(known) < CLAMP, v, 0.0)
    across, deep = tl.cdiv(area, SAMPLES), tl.cdiv(channels, CHANNELS)
    at = tl.program_id(0) % (across * deep)
    block = (n * channels + c) * across + at % across
    if D:
        u = tl.load(conv + here, mask=inside, other=0.0).to(SUM)
        tl.store(for_d + block, tl.sum(v * u, axis=1), mask=c < channels)
    if LEVEL:
        tl.store(for_level + (n * deep + at // across) * area + s, tl.sum(v, axis=0), mask=s < area)
    if BIAS:
        tl.store(for_bias + block, tl.sum(v, axis=1), mask=c < channels)
    if CONV:
        if SCALED:
            v *= tl.load(d + n * channels + c, mask=c < channels, other=0.0).to(SUM)[:, None]
        tl.store(g_conv + here, v.to(g_conv.dtype.element_ty), mask=inside)


def constants(act: Act, dtype: torch.dtype) -> dict[str, Any]:
    """Return what both kernels are compiled for, but for their block."""
    return {"SLOPE": act.slope, "GAIN": act.gain, "CLAMP": act.bound(dtype), "SUM": host.sum_type(dtype)}


def block(channels: int, area: int, last: tuple[bool, ...], longest: int = BLOCK) -> dict[str, int]:
    """Return a block of about BLOCK samples, as long as can be, or `longest`, along the axis that lies innermost.

    Args:
        last: whether channels lie innermost, in what is read and in what is written.
    """
    longest = longest if last[0] == last[1] else min(RUN, longest)
    inner = min(longest, triton.next_power_of_2(channels if last[0] else area))
    outer = min(BLOCK // inner, triton.next_power_of_2(area if last[0] else channels))
    return {"CHANNELS": inner if last[0] else outer, "SAMPLES": outer if last[0] else inner}


def steps(x: Tensor) -> tuple[int, int]:
    """Return how far a picture's channels and its samples lie apart."""
    return (1, x.shape[1]) if channels_last(x) else (x.shape[2] * x.shape[3], 1)


class TritonMaps:
    """pointwise.Maps in Triton: y in one pass, all gradients in another one, the tangent with PyTorch's help."""

    def value(
        self,
        conv: Tensor,
        d: Tensor | None,
        level: Tensor | None,
        bias: Tensor | None,
        act: Act,
        to: torch.memory_format,
    ) -> Tensor:
        """Return phi(conv d + level + bias)."""
        y = torch.empty_like(conv, memory_format=to)
        if not conv.numel():
            return y
        n, channels, area, last = len(conv), conv.shape[1], conv.shape[2] * conv.shape[3], _last(conv, y)
        there = {"SCALED": d is not None, "LEVEL": level is not None, "BIAS": bias is not None}
        chosen = {**constants(act, conv.dtype), **there, **block(channels, area, last)}
        numbers = (area if level is not None and len(level) > 1 else 0, channels, area)
        blocks = triton.cdiv(channels, chosen["CHANNELS"]) * triton.cdiv(area, chosen["SAMPLES"])
        with host.on_device(conv):
            given = [conv if t is None else t for t in (d, level, bias)]
            finished[(n * blocks,)](conv, *given, y, *numbers, *steps(conv), *steps(y), **chosen, **LAUNCH)
        return y

    def tangent(self, change: Four, conv: Tensor | None, d: Tensor | None, y: Tensor, act: Act) -> Tensor:
        """Return s (u d + conv v + l + b)."""
        u, v, level, b = change
        z = torch.zeros_like(y) if u is None else u if d is None else u * _over_places(d, y)
        if v is not None and conv is not None:
            z = z + conv * _over_places(v, y)
        if level is not None:
            z = z + level.to(y.dtype)
        z = as_like(z if b is None else z + b[:, None, None].to(y.dtype), y)
        found = self.gradients(z, None, None, y, Wanted(True, False, 0, False), act)[0]  # s z
        assert found is not None
        return found

    def gradients(self, g: Tensor, conv: Tensor | None, d: Tensor | None, y: Tensor, wanted: Wanted, act: Act) -> Four:
        """Return (s g d, sum_hw s g conv, sum_o s g, sum_nhw s g), None for what isn't wanted."""
        (n, channels, height, width), kind = y.shape, wide(y.dtype)
        area, chosen = height * width, block(max(1, channels), max(1, height * width), _last(y, g), RUN)
        d = None if d is None else d.contiguous()  # a gradient of gradients may be expanded
        across, deep = triton.cdiv(area, chosen["SAMPLES"]), triton.cdiv(channels, chosen["CHANNELS"])
        for_d, for_bias = (
            y.new_empty(n, channels, across, dtype=kind) if on else None
            for on in (wanted.d and conv is not None, wanted.bias)
        )
        for_level = y.new_empty(n, deep, height, width, dtype=kind) if wanted.levels else None
        g_conv = torch.empty_like(y) if wanted.conv else None
        if y.numel():
            given = [y if t is None else t for t in (conv, d, y, g_conv, for_d, for_level, for_bias)]
            asked = zip(("CONV", "D", "LEVEL", "BIAS"), (g_conv, for_d, for_level, for_bias), strict=True)
            wishes = {"LINEAR": act.linear, "SCALED": d is not None, **{name: t is not None for name, t in asked}}
            with host.on_device(y):
                graded[(n * across * deep,)](
                    g,
                    *given,
                    channels,
                    area,
                    *steps(y),
                    *steps(g),
                    **constants(act, y.dtype),
                    **wishes,
                    **chosen,
                    **LAUNCH,
                )
        if for_level is not None:
            for_level = for_level.sum(dim=1 if wanted.levels == n else (0, 1))
            for_level = for_level.view(wanted.levels, 1, height, width)
        return (
            g_conv,
            None if for_d is None else for_d.sum(dim=2),
            for_level,
            None if for_bias is None else for_bias.sum(dim=(0, 2)),
        )


def _last(*pictures: Tensor) -> tuple[bool, ...]:
    return tuple(map(channels_last, pictures))


def _over_places(d: Tensor, y: Tensor) -> Tensor:
    return d[:, :, None, None].to(y.dtype)


def why_not(conv: Tensor) -> str | None:
    """Return why the kernel cannot serve a convolution's result, or None where it can."""
    return host.unserved(conv) or host.too_long(conv)


styled, scaled = Styled(TritonMaps()), Scaled(TritonMaps())
