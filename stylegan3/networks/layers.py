# SPDX-License-Identifier: Apache-2.0
"""Layers with equalised learning rate: weights are kept near N(0, 1) and scaled when used (Karras et al. 2018, 4.1).

A leaky relu's gain is folded into weight and bias, as it is positively homogeneous, where no kernel takes it: one pass
over the activations less.
Modules are built empty (on the default device, 'meta' included) and filled by ``reset(rng)``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan3.networks.ways import CLAMP, REDUCED, Operated, inside
from stylegan3.ops.bias_act import SQRT2
from stylegan3.ops.convolution import conv2d
from stylegan3.ops.ends import from_picture, mixes
from stylegan3.ops.innermost import pays
from stylegan3.ops.styled import styler_for

SLOPE = 0.2  # of every leaky relu
FIR = (0.125, 0.375, 0.375, 0.125)  # [1, 3, 3, 1] / 8, StyleGAN2's resampling filter


def parameter(*shape: int) -> nn.Parameter:
    """Return an empty parameter."""
    return nn.Parameter(torch.empty(shape))


@torch.no_grad()
def fill_normal(tensor: Tensor, rng: torch.Generator, scale: float = 1.0) -> None:
    """Fill a tensor with N(0, scale^2), drawn on the generator's device so that every device gets the same values."""
    tensor.copy_(torch.randn(tensor.shape, generator=rng, device=rng.device) * scale)


def channels_innermost(x: Tensor, kind: torch.dtype | None = None) -> bool:
    """Return whether convolutions run fastest with channels innermost, of pictures x in their own type or another.

    Those of a batch on a CPU do. Measured with oneDNN on one core: transposed convolutions 3x and gradients 1.2 to 2x
    as fast from batches of four on; a single picture's gradients are slower that way. A card is asked.
    """
    return len(x) >= 4 if x.device.type == "cpu" else pays(x.device, kind or x.dtype)


def laid_out(x: Tensor, kind: torch.dtype | None = None) -> Tensor:
    """Return x in the layout in which convolutions in its type, or another, run fastest."""
    return x.contiguous(memory_format=torch.channels_last) if channels_innermost(x, kind) else x


class Dense(nn.Module):
    """Fully connected layer, with a leaky relu of gain sqrt 2 where ``act``. Shape: [N, i] -> [N, o]."""

    def __init__(self, i: int, o: int, *, act: bool = False, rate: float = 1.0, start: float = 0.0) -> None:
        super().__init__()
        self.weight, self.bias = parameter(o, i), parameter(o)
        self.act, self.rate, self.start = act, rate, start
        self.scale = rate / i**0.5

    def reset(self, rng: torch.Generator, spread: float = 1.0) -> None:
        """Draw the weight from N(0, (spread/rate)^2); every bias is ``start``."""
        fill_normal(self.weight, rng, spread / self.rate)
        nn.init.constant_(self.bias, self.start / self.rate)

    def forward(self, x: Tensor) -> Tensor:
        gain = SQRT2 if self.act else 1.0
        y = torch.addmm(self.bias, x, self.weight.mT, beta=self.rate * gain, alpha=self.scale * gain)
        return F.leaky_relu(y, SLOPE) if self.act else y


def clamp_of(x: Tensor) -> float | None:
    """Return the largest activation that x's precision is to hold."""
    return CLAMP if x.dtype in REDUCED else None


class Conv(Operated):
    """Convolution, with bias and leaky relu where ``act``; ``gain`` scales the result.

    Shape: [N, i, H, W] -> [N, o, H, W], or (H - kernel) // 2 + 1 high with stride 2, which has no padding.
    """

    def __init__(self, i: int, o: int, kernel: int, *, act: bool = True, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = parameter(o, i, kernel, kernel)
        self.bias = parameter(o) if act else None
        self.stride, self.padding = stride, kernel // 2 if stride == 1 else 0
        self.gain = gain * SQRT2 if act else gain
        self.scale = 1 / (i * kernel**2) ** 0.5

    def reset(self, rng: torch.Generator) -> None:
        """Draw the weight from N(0, 1); biases are 0."""
        fill_normal(self.weight, rng)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is None:
            return self._convolved(x, self.weight * (self.scale * self.gain), None)
        kernel, clamp = styler_for(x, self.impl), clamp_of(x)
        if kernel is not None:
            y = self._convolved(x, self.weight * self.scale, None)
            return kernel(y, None, None, self.bias, gain=self.gain, clamp=clamp)
        y = self._convolved(x, self.weight * (self.scale * self.gain), self.bias * self.gain)
        y = F.leaky_relu(y, SLOPE)
        return y if clamp is None else y.clamp(-clamp, clamp)

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return conv2d(x, weight, bias, padding=self.padding, stride=self.stride, impl=self.impl)


class FromPicture(Conv):
    """1x1 convolution of a picture, with bias and leaky relu: of float32 numbers, to the inner precision.

    Shape: [N, C, F, T] -> [N, o, F, T].
    """

    def __init__(self, channels: int, o: int) -> None:
        super().__init__(channels, o, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)
        kind = inside(x[:0], self.inner).dtype
        kernel = styler_for(x[:0].to(kind), self.impl)
        if kernel is None or self.bias is None or not mixes(x, kind, x.shape[1] + 1, self.impl):
            return inside(super().forward(laid_out(x, kind)), self.inner)
        layout = torch.channels_last if channels_innermost(x) else torch.contiguous_format
        y = from_picture(x, self.weight * (self.scale * self.gain), self.bias * self.gain, kind, layout)
        return kernel(y, None, None, None, gain=1.0, clamp=None)
