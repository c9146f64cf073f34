# SPDX-License-Identifier: Apache-2.0
"""The operations that bench/ops.py times, at the sizes of networks, with what each needs at least.

Needed arithmetic: two operations a product; filters that are not separable as the sum of products that they are.
Needed bytes: inputs and results once, and for a gradient 2 bits a raised sample written and read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil, prod

import torch
from torch import Tensor

from stylegan3.networks.layers import FIR
from stylegan3.networks.plan import LayerNumbers, layer_numbers
from stylegan3.networks.specs import GeneratorSpec
from stylegan3.ops.bias_act import SQRT2, bias_act
from stylegan3.ops.blocks import WIDTH
from stylegan3.ops.convolution import conv2d, conv_doubled
from stylegan3.ops.filtered_lrelu import filtered_lrelu
from stylegan3.ops.filters import lowpass
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.modulation import modulated_conv2d
from stylegan3.ops.plans import Plan, plan_for
from stylegan3.ops.resampling import Filter, Terms, constant
from stylegan3.ops.upfirdn import upfirdn2d

Shape = tuple[int, ...]
LINE = tuple(lowpass(12, 16.0, 10.0, 168).tolist())
CLAMP = 256.0


@dataclass(frozen=True)
class Case:
    """An operation at one size: its tensors' shapes (the activations first) and what it needs."""

    operation: str
    shapes: tuple[Shape, ...]
    run: Callable[..., Tensor]  # of the way, then the tensors
    result: Shape
    products: int
    passes: int = 2  # times a forward pass that both passes need: three where weights have gradients
    raised: int = 0  # samples of which the slope is kept
    plan: Plan | None = None
    layout: torch.memory_format = torch.contiguous_format  # of the activations

    @property
    def shape(self) -> str:
        """The activations' shape, and the result's where it differs."""
        x, y = ("x".join(map(str, shape)) for shape in (self.shapes[0], self.result))
        return x if x == y else f"{x} to {'x'.join(map(str, self.result[1:]))}"

    def needs(self, kind: torch.dtype) -> dict[str, int]:
        """Return the bytes and operations of a forward pass and of both."""
        numbers = sum(map(prod, self.shapes)) + prod(self.result)
        once = numbers * kind.itemsize
        found = {"forward_bytes": once, "both_bytes": self.passes * once + self.raised // 2}
        return {**found, "forward_flops": 2 * self.products, "both_flops": 2 * self.passes * self.products}

    def drawn(self, kind: torch.dtype, device: torch.device) -> list[Tensor]:
        """Return random numbers; activations have the precision, parameters float32, as in a network."""
        rng = torch.Generator().manual_seed(0)
        tensors = [torch.randn(shape, generator=rng).to(device) for shape in self.shapes]
        return [tensors[0].to(kind).contiguous(memory_format=self.layout), *tensors[1:]]


def _products(terms: Terms) -> int:
    """Return the products of a sum of separable resamplings of a plane, the cheaper axis first."""
    total = 0
    for rows, columns in terms:
        down, across = ceil(len(rows.taps) / rows.up), ceil(len(columns.taps) / columns.up)
        first = min(rows.n_out * columns.n_in * down, rows.n_in * columns.n_out * across)
        total += first + rows.n_out * columns.n_out * (across if first == rows.n_out * columns.n_in * down else down)
    return total


def lrelu(
    name: str, x: Shape, fu: Filter, fd: Filter, up: int, down: int, padding: tuple[int, int, int, int]
) -> Case:  # fmt: skip
    """Return a filtered leaky relu."""
    plan = plan_for(constant(fu), constant(fd), up, down, padding, (x[2], x[3]), (SQRT2, 0.2, CLAMP), False)

    def run(impl: Impl, x: Tensor, b: Tensor) -> Tensor:
        return filtered_lrelu(x, fu, fd, b, up=up, down=down, padding=padding, clamp=CLAMP, impl=impl)

    planes = x[0] * x[1]
    products = planes * (_products(plan.up) + _products(plan.down))
    return Case(name, (x, (x[1],)), run, (*x[:2], *plan.size), products, 2, planes * prod(plan.raised), plan)


def layer(name: str, n: LayerNumbers, batch: int) -> Case:
    """Return the filtered leaky relu of a network's layer."""
    grown = n.kernel - 1 - 2 * n.crop
    x = (batch, n.channels_out, n.size_in[0] + grown, n.size_in[1] + grown)
    return lrelu(name, x, n.up_filter(), n.down_filter(), n.up, n.down, n.cropped_padding)


def modulated(x: Shape, out: int) -> Case:
    """Return a modulated 3x3 convolution."""

    def run(impl: Impl, x: Tensor, w: Tensor, s: Tensor) -> Tensor:
        return modulated_conv2d(x, w, s, padding=1, impl=impl)

    products = prod(x) * out * 9
    return Case("modulated_conv2d", (x, (out, x[1], 3, 3), x[:2]), run, (x[0], out, *x[2:]), products, 3)


def in_blocks(case: Case) -> Case:
    """Return a case for as many channels in blocks of 16 (ops/blocks.py)."""
    (n, c, *size), *others = case.shapes
    x, y = ((n * c // WIDTH, WIDTH, *rest) for rest in (size, case.result[2:]))
    operation = f"{case.operation}, in blocks"
    return replace(case, operation=operation, shapes=(x, *others), result=y, layout=torch.channels_last)


def convolution(x: Shape) -> Case:
    """Return a 3x3 convolution."""

    def run(impl: Impl, x: Tensor, w: Tensor) -> Tensor:
        return conv2d(x, w, padding=1, impl=impl)

    return Case("conv2d 3x3", (x, (x[1], x[1], 3, 3)), run, x, prod(x) * x[1] * 9, 3)


def strided(x: Shape, up: bool) -> Case:
    """Return a 3x3 convolution with stride 2, as the discriminator's, or its transpose, as StyleGAN2's."""

    def run(impl: Impl, x: Tensor, w: Tensor) -> Tensor:
        return conv_doubled(x, w, impl=impl) if up else conv2d(x, w, stride=2, impl=impl)

    n, c, h, w = x
    y = (n, c, 2 * h + 1, 2 * w + 1) if up else (n, c, h // 2, w // 2)
    products = min(prod(x), prod(y)) * c * 9
    name = "conv2d 3x3, stride 2" + (", transposed" if up else "")
    return Case(name, (x, (c, c, 3, 3)), run, y, products, 3, layout=torch.channels_last)


def resampling(x: Shape, up: bool) -> Case:
    """Return StyleGAN2's upsampling of pictures or the discriminator's downsampling."""

    def run(impl: Impl, x: Tensor) -> Tensor:
        if up:
            return upfirdn2d(x, FIR, up=2, padding=(2, 1, 2, 1), gain=4.0, impl=impl)
        return upfirdn2d(x, FIR, down=2, padding=1, impl=impl)

    n, c, h, w = x
    y = (n, c, 2 * h, 2 * w) if up else (n, c, h // 2, w // 2)
    products = n * c * (y[2] * w + y[2] * y[3]) * (2 if up else 4)
    return Case(f"upfirdn2d, {'up' if up else 'down'}", (x,), run, y, products)


def activation(x: Shape) -> Case:
    """Return a leaky relu with bias."""

    def run(impl: Impl, x: Tensor, b: Tensor) -> Tensor:
        return bias_act(x, b, act="lrelu", clamp=CLAMP, impl=impl)

    return Case("bias_act, lrelu", (x, (x[1],)), run, x, prod(x))


def small_cases() -> Iterator[Case]:
    """Yield what a CPU does in a few minutes: the issue's case, layers of 256x256 networks, StyleGAN2's parts."""
    line = lrelu("filtered_lrelu, 12 taps", (4, 128, 86, 86), LINE, LINE, 2, 2, (9, 8, 9, 8))
    yield line
    yield in_blocks(line)
    t = layer_numbers(GeneratorSpec("stylegan3-t", (4, 256, 256)))
    r = layer_numbers(GeneratorSpec("stylegan3-r", (4, 256, 256), channel_base=65536, channel_max=1024))
    for i in (5, 13):  # from 4 to 2, and the largest canvas
        yield layer(f"filtered_lrelu, T layer {i}", t[i], 1)
    yield layer("filtered_lrelu, R layer 4", r[4], 1)
    yield resampling((8, 4, 128, 128), up=True)
    yield resampling((8, 64, 64, 64), up=False)
    yield modulated((4, 256, 64, 64), 256)
    yield convolution((1, 256, 84, 84))
    yield strided((8, 128, 65, 65), up=False)
    yield strided((8, 128, 32, 32), up=True)
    yield activation((4, 128, 86, 86))


def layer_cases(size: int, batch: int) -> Iterator[Case]:
    """Yield what the layers of size x size networks do, each kind of layer once."""
    seen = set()
    for case in _layer_cases(size, batch):
        key = (case.operation.rstrip("0123456789"), case.shape)
        if key not in seen:
            seen.add(key)
            yield case


def _layer_cases(size: int, batch: int) -> Iterator[Case]:
    numbers = layer_numbers(GeneratorSpec("stylegan3-t", (4, size, size)))
    r = layer_numbers(GeneratorSpec("stylegan3-r", (4, size, size), channel_base=65536, channel_max=1024))
    for i, n in enumerate(numbers[:-1]):
        yield layer(f"filtered_lrelu, T layer {i}", n, batch)
    yield layer("filtered_lrelu, R layer 7", r[7], batch)
    for n in (numbers[6], numbers[9], numbers[12]):
        yield modulated((batch, n.channels_in, *n.size_in), n.channels_out)
    yield resampling((batch, 4, size // 2, size // 2), up=True)
    yield resampling((batch, 128, size // 2, size // 2), up=False)
    yield convolution((batch, 128, size // 2, size // 2))
    yield strided((batch, 128, size // 2 + 1, size // 2 + 1), up=False)
    yield strided((batch, 128, size // 4, size // 4), up=True)
    yield activation((batch, 128, size // 2, size // 2))
