# SPDX-License-Identifier: Apache-2.0
"""The end of StyleGAN2's convolution: y = clamp(gain * leaky_relu(conv * d + level + bias)).

d demodulates (Karras et al. 2020, section 2.2), level is the noise times its strength. gain > 0 goes inside.
"""

from __future__ import annotations

from torch import Tensor

from stylegan3.ops.bias_act import SQRT2, scaled_bias_lrelu
from stylegan3.ops.engines import kernels_for
from stylegan3.ops.interfaces import Impl, Styler


def styled(
    conv: Tensor,
    d: Tensor,
    level: Tensor | None,
    bias: Tensor,
    *,
    gain: float = SQRT2,
    clamp: float | None = None,
    impl: Impl = "auto",
) -> Tensor:
    """Demodulate, add noise and bias, activate; differentiable to any order.

    Args:
        level: one for all pictures or one each; None adds nothing.

    Shape: conv [N, O, H, W], d [N, O], level [1 or N, 1, H, W] or [H, W], bias [O] -> [N, O, H, W], in conv's layout.
    """
    return (styler_for(conv, impl) or scaled_bias_lrelu)(conv, d, level, bias, gain=gain, clamp=clamp)


def styler_for(x: Tensor, impl: Impl = "auto") -> Styler | None:
    """Return the kernel that ends a convolution, by pictures like its result; None where none serves.

    Who convolves without d must know before: without one, the library adds the bias.
    """
    kernels = kernels_for(x, impl)
    return None if kernels is None else kernels.styler(x)
