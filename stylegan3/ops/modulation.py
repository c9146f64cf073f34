# SPDX-License-Identifier: Apache-2.0
"""Modulated convolution: each picture's style scales the kernel's input channels, demodulation its output channels.

Karras et al. 2020 (StyleGAN2), section 2.2. A picture's own kernel W[o,i] s[i] d[o] needs a grouped convolution with
one group a picture; because the convolution is linear, scaling the activations says the same with one kernel for all:

    conv(x, W s d) = d * conv(s * x, W),     d[o] = (sum_{i,k} (W[o,i,k] s[i])^2 + 1e-8)^-1/2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.convolution import by_winograd, conv2d
from stylegan3.ops.engines import kernels_for
from stylegan3.ops.innermost import pays
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.layout import channels_last
from stylegan3.ops.winograd_modulated import modulated_winograd

EPSILON = 1e-8


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """Return d [N, O], which gives each picture's kernel unit norm. Shape: weight [O, I, k, k], styles [N, I]."""
    energy = weight.square().sum(dim=(2, 3))
    return torch.rsqrt(F.linear(styles.square(), energy) + EPSILON)


def scaled(
    x: Tensor,
    scale: Tensor,
    *,
    impl: Impl = "auto",
    narrow: bool = False,
    to: torch.memory_format | None = None,
) -> Tensor:
    """Scale each picture's channels; differentiable to any order.

    Args:
        narrow: without a kernel, multiply in x's own precision: one pass, but float16 may not hold the gradient's sums.
        to: the layout of the result; None: x's.

    Shape: x [N, C, H, W], scale [N, C] -> as x.
    """
    kernels = kernels_for(x, impl)
    kernel = None if kernels is None else kernels.scaler(x)
    if kernel is not None:
        return kernel(x, scale, to)
    scale = scale[:, :, None, None]
    y = x * scale.to(x.dtype) if narrow else (x * scale).to(x.dtype)
    return y if to is None else y.contiguous(memory_format=to)


def scaled_and_convolved(x: Tensor, weight: Tensor, scale: Tensor, layout: torch.memory_format) -> Tensor:
    """Scale pictures, convolve them in a layout that they take with it, scale and turn them back; an innermost.Way."""
    y = F.conv2d(scaled(x, scale, to=layout), weight, padding=1)
    return scaled(y, scale, to=torch.contiguous_format)


def turns(x: Tensor, weight: Tensor, impl: Impl) -> bool:
    """Return whether pictures are turned as they are scaled, since a card convolves them faster channels innermost."""
    where = x.device.type == "cuda" and not channels_last(x) and weight.shape[2:] != (1, 1)
    return where and impl != "plain" and pays(x.device, x.dtype, scaled_and_convolved)


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    padding: int = 0,
    demodulate: bool = True,
    gain: Tensor | float = 1.0,
    impl: Impl = "auto",
) -> Tensor:
    """Convolve pictures with their own modulated kernels.

    Args:
        padding: zeros on each side.
        gain: a factor on the result, a number or one value.
        impl: 'auto' scales activations; 'reference' builds each picture's kernel (grouped convolution).

    Shape: x [N, I, H, W], weight [O, I, k, k], styles [N, I] -> [N, O, H', W'].
    """
    if impl == "reference":
        return _one_kernel_each(x, weight, styles, padding, demodulate, gain)
    d = demodulation(weight, styles) * gain if demodulate else None
    if d is not None and by_winograd(x, weight, padding, impl):
        return modulated_winograd(x, styles, d, weight, padding)
    turned = d is not None and turns(x, weight, impl)
    there, back = (torch.channels_last, torch.contiguous_format) if turned else (None, None)
    y = conv2d(scaled(x, styles, impl=impl, narrow=True, to=there), weight, padding=padding, impl=impl)
    return y * gain if d is None else scaled(y, d, impl=impl, narrow=True, to=back)


def _one_kernel_each(
    x: Tensor, weight: Tensor, styles: Tensor, padding: int, demodulate: bool, gain: Tensor | float
) -> Tensor:
    """Follow the paper: build N kernels, then convolve with them as N groups of one convolution."""
    n, o = len(x), len(weight)
    if n == 0:
        return F.conv2d(x, weight.to(x.dtype), padding=padding)
    kernels = weight[None] * styles[:, None, :, None, None]
    if demodulate:
        kernels = kernels * torch.rsqrt(kernels.square().sum(dim=(2, 3, 4), keepdim=True) + EPSILON)
    y = F.conv2d(x.flatten(0, 1)[None], (kernels * gain).flatten(0, 1).to(x.dtype), padding=padding, groups=n)
    return y.view(n, o, *y.shape[2:])
