# SPDX-License-Identifier: Apache-2.0
"""Bias, activation, gain and clamp of a tensor: y = clamp(gain * act(x + b)), with each activation's usual gain."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.layout import channels_last

SQRT2 = 2.0**0.5


class Activation(NamedTuple):
    """A function of (x, alpha), its default alpha and the gain that about keeps a normal input's variance."""

    function: Callable[[Tensor, float], Tensor]
    alpha: float
    gain: float


# The networks use linear and lrelu; the others stand for the recorded cases that this operation is held against.
ACTIVATIONS: dict[str, Activation] = {
    "elu": Activation(lambda x, a: F.elu(x), 0.0, 1.0),
    "linear": Activation(lambda x, a: x, 0.0, 1.0),
    "lrelu": Activation(lambda x, a: F.leaky_relu(x, a), 0.2, SQRT2),
    "relu": Activation(lambda x, a: F.relu(x), 0.0, SQRT2),
    "selu": Activation(lambda x, a: F.selu(x), 0.0, 1.0),
    "sigmoid": Activation(lambda x, a: torch.sigmoid(x), 0.0, 1.0),
    "softplus": Activation(lambda x, a: F.softplus(x), 0.0, 1.0),
    "swish": Activation(lambda x, a: F.silu(x), 0.0, SQRT2),
    "tanh": Activation(lambda x, a: torch.tanh(x), 0.0, 1.0),
}


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    *,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
    impl: Impl = "auto",
) -> Tensor:
    """Add a bias along one axis, apply an activation, scale and clamp.

    Args:
        b: one value for each index of axis ``dim``; None adds nothing.
        alpha: slope of lrelu's negative side; None is the activation's own.
        gain: factor after the activation; None is the activation's own.
        clamp: largest absolute value of the result; None leaves it.
        impl: 'auto' scales before a leaky relu (the same number, one pass less); 'reference' follows the formula.

    Raises:
        NetworkError: for an unknown activation.
    """
    if act not in ACTIVATIONS:
        raise NetworkError(f"activation {act!r}: allowed are {', '.join(ACTIVATIONS)}")
    function, own_alpha, own_gain = ACTIVATIONS[act]
    alpha, gain = own_alpha if alpha is None else alpha, own_gain if gain is None else gain
    shape = [-1 if i == dim % x.ndim else 1 for i in range(x.ndim)]
    if impl != "reference" and act in ("linear", "relu", "lrelu") and gain > 0:
        # positively homogeneous: gain * act(x + b) = act(gain*x + gain*b)
        scaled = x if b is None and gain == 1 else x * gain if b is None else _affine(x, b.reshape(shape), gain)
        y = function(scaled, alpha)
    else:
        y = function(x if b is None else x + b.reshape(shape).to(x.dtype), alpha)
        y = y if gain == 1 else y * gain
    return y if clamp is None else y.clamp(-clamp, clamp)


def _affine(x: Tensor, b: Tensor, gain: float) -> Tensor:
    return x + b if gain == 1 else torch.add(b * gain, x, alpha=gain)


def scaled_bias_lrelu(
    x: Tensor, scale: Tensor, level: Tensor | None, bias: Tensor, *, gain: float = SQRT2, clamp: float | None = None
) -> Tensor:
    """Return clamp(gain * leaky_relu(x * scale + level + bias)); gain > 0 goes inside.

    Shape: x [N, C, H, W], scale [N, C], level [1 or N, 1, H, W] or [H, W], bias [C] -> as x, in its layout.
    """
    added = (bias * gain)[None, :, None, None]
    if level is not None:
        added = added + level * gain
        if channels_last(x):
            added = added.contiguous(memory_format=torch.channels_last)
    y = torch.addcmul(added.to(x.dtype), x, (scale * gain)[:, :, None, None].to(x.dtype))
    y = F.leaky_relu(y, ACTIVATIONS["lrelu"].alpha)
    return y if clamp is None else y.clamp(-clamp, clamp)
