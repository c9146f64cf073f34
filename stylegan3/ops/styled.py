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
    return (_styler(conv, True, impl) or scaled_bias_lrelu)(conv, d, level, bias, gain=gain, clamp=clamp)


def unscaled(x: Tensor, impl: Impl = "auto") -> Styler | None:
    """Return the kernel that ends a convolution without d, by pictures like its result; None where none serves.

    Who convolves must know before: without one, the library adds the bias.
    """
    return _styler(x, False, impl)


def _styler(conv: Tensor, scaled: bool, impl: Impl) -> Styler | None:
    kernels = kernels_for(conv, impl)
    return None if kernels is None else kernels.styler(conv, scaled)
