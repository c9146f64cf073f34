# SPDX-License-Identifier: Apache-2.0
"""A network's ends: 1x1 convolutions of a picture's few channels, whose sums have the weights' precision."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.blocks import Blocks, count, each_block, planes
from stylegan3.ops.engines import kernels_for
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.layout import channels_last
from stylegan3.ops.mixing import FEW, to_few, to_many
from stylegan3.ops.modulation import modulated_conv2d
from stylegan3.ops.native import cpu


def mixes(x: Tensor, kind: torch.dtype, few: int, impl: Impl) -> bool:
    """Return whether mixing.py serves the device of x, so many few channels and a type of the many ones."""
    served = x.device.type == "cpu" and kind in cpu.KINDS and 0 < few <= FEW
    return served and kernels_for(x, impl) is not None


def from_picture(x: Tensor, weight: Tensor, bias: Tensor, kind: torch.dtype, layout: torch.memory_format) -> Tensor:
    """Convolve a picture, where `mixes` says so, to channels of a type and in a layout; rounded once.

    Shape: x [N, F, H, W], weight [O, F, 1, 1], bias [O] -> [N, O, H, W].
    """
    one = x.new_ones(()).expand(len(x), 1, *x.shape[2:])  # a channel that the bias weighs
    return to_many(torch.cat([x, one], dim=1), torch.cat([weight[:, :, 0, 0].mT, bias[None]])[None], kind, layout)


def to_picture(x: Tensor | Blocks, weight: Tensor, styles: Tensor, *, impl: Impl = "auto") -> Tensor:
    """Convolve activations of any precision with their own modulated 1x1 kernels to a picture of the kernels' one.

    Without demodulation: a picture's level is the network's to choose.

    Shape: x [N, I, H, W], weight [O, I, 1, 1], styles [N, I] -> [N, O, H, W], in planes.

    Raises:
        NetworkError: for as many styles as there aren't pictures.
    """
    if impl == "reference":
        return modulated_conv2d(planes(x).to(weight.dtype), weight, styles, demodulate=False, impl=impl)
    kernels = weight[None, :, :, 0, 0] * styles[:, None, :]
    if len(styles) != x.shape[0]:
        raise NetworkError(f"styles {tuple(styles.shape)}: {x.shape[0]} are needed, one a picture")
    if isinstance(x, Blocks) and mixes(x.numbers, x.numbers.dtype, len(weight), impl):
        return to_few(x.numbers, each_block(kernels)).unflatten(0, (len(styles), count(x.channels))).sum(1)
    x = planes(x)
    if mixes(x, x.dtype, len(weight), impl):
        return to_few(x, kernels)
    n, _, h, width = x.shape
    x = x.to(kernels.dtype)
    if channels_last(x):
        y = torch.bmm(x.permute(0, 2, 3, 1).flatten(1, 2), kernels.mT)
        return y.view(n, h, width, len(weight)).permute(0, 3, 1, 2).contiguous()  # few channels fill no register
    return torch.bmm(kernels, x.flatten(2)).view(n, len(weight), h, width)
