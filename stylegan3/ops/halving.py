# SPDX-License-Identifier: Apache-2.0
"""3x3 convolution with stride 2, and its transpose, with nine sixteenths of the multiplications, on a CPU.

Along one axis the even samples meet the first and the last tap, the odd ones the tap between: two convolutions with
stride 1. A tile of four results reads five even samples and four odd ones,

    y[m] = w[0] x[2m] + w[2] x[2m+2]  +  w[1] x[2m+1].

The first is Winograd's F(4, 2) with the points +-sqrt(1/2), +-sqrt 2 and infinity (winograd.py; G, B and A are
theirs); the other, a kernel of one tap with the same points, has no value at infinity. So 5 + 4 products stand for 12,
and 81 for 144 along both axes. As both have the same points, they are summed before they are transformed back: 25
values.

Of the transposed map every factor is transposed: A spreads a tile of 4x4 samples to 25 values, which meet all 81 of the
kernel, and B makes 9x9 results of them, of which neighbouring tiles share a line. In bfloat16 results are .9 % rms away
where a direct convolution's are .24 %; in float32, of 256 channels, 2.4e-6 and transposed 1.2e-6, where those are 2e-7
and 5e-7. On a matrix unit bfloat16 is multiplied tap after tap.

The three maps (x, w) -> y, (y, w) -> x, (y, x) -> w are linear in both, and the gradients of each are the other two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stylegan3.ops.layout import channels_last, dense, empty_as, layout_of
from stylegan3.ops.pointwise import wide
from stylegan3.ops.winograd import call


class _Halved(torch.autograd.Function):
    """(x, w) -> y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        x, w = dense(x), w.to(wide(x.dtype)).contiguous()
        y = empty_as(x, (x.shape[2] // 2, x.shape[3] // 2), len(w))
        sizes = (*x.shape, *y.shape[1:], 0)
        call("halving", "results", sizes, channels_last(x), x, w, y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, w = ctx.saved_tensors
        for_x, for_w = ctx.needs_input_grad
        return doubled(grads[0], w) if for_x else None, _kernel_gradient(grads[0], x) if for_w else None


class _Doubled(torch.autograd.Function):
    """(y, w) -> x."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(y, w)
        y, w = dense(y), w.to(wide(y.dtype)).transpose(0, 1).contiguous()
        x = empty_as(y, (2 * y.shape[2] + 1, 2 * y.shape[3] + 1), len(w))
        if not y.numel():
            return x.zero_()  # one line at least, of no samples
        sizes = (*y.shape, *x.shape[1:], 0)
        call("doubling", "results", sizes, channels_last(y), y, w, x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        y, w = ctx.saved_tensors
        for_y, for_w = ctx.needs_input_grad
        return halved(grads[0], w) if for_y else None, _kernel_gradient(y, grads[0]) if for_w else None


class _KernelGradient(torch.autograd.Function):
    """(y, x) -> w."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(y, x)
        layout = layout_of(x)
        y, x = y.to(x.dtype).contiguous(memory_format=layout), x.contiguous(memory_format=layout)
        w = x.new_empty(y.shape[1], x.shape[1], 3, 3, dtype=wide(x.dtype))
        sizes = (*x.shape, *y.shape[1:], 0)
        call("halving", "kernels", sizes, channels_last(x), x, y, w)
        return w

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        y, x = ctx.saved_tensors
        for_y, for_x = ctx.needs_input_grad
        return halved(x, grads[0]) if for_y else None, doubled(y, grads[0]) if for_x else None


def _kernel_gradient(y: Tensor, x: Tensor) -> Tensor:
    apply: Callable[..., Tensor] = _KernelGradient.apply
    return apply(y, x)


def halved(x: Tensor, w: Tensor) -> Tensor:
    """Convolve with stride 2, without padding; on the CPU, differentiable to any order, in x's type and layout.

    Shape: x [N, C, 2 H + 1, 2 W + 1], w [O, C, 3, 3] -> [N, O, H, W].
    """
    apply: Callable[..., Tensor] = _Halved.apply
    return apply(x, w)


def doubled(y: Tensor, w: Tensor) -> Tensor:
    """Apply the transpose of ``halved``: each sample spreads over 3x3 results that lie two apart.

    Shape: y [N, O, H, W], w [O, C, 3, 3] -> [N, C, 2 H + 1, 2 W + 1].
    """
    apply: Callable[..., Tensor] = _Doubled.apply
    return apply(y, w)
