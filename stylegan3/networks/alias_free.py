# SPDX-License-Identifier: Apache-2.0
"""StyleGAN3's synthesis network, configurations T and R (Karras et al. 2021, sections 3 and appendix C, D).

A signal is treated as continuous: a layer's canvas samples it at the layer's rate with a margin of 10 samples a side,
and the leaky relu acts at a raised rate between two low-pass filters. The input and the output layer are float32; the
activations between them may have less precision (ways.py).
"""

from __future__ import annotations

from math import pi
from typing import cast

import torch
from torch import Tensor, nn

from stylegan3.networks.layers import SLOPE, Dense, fill_normal, parameter
from stylegan3.networks.moments import Moments, mean_square
from stylegan3.networks.plan import LayerNumbers, layer_numbers
from stylegan3.networks.rows import RowGains, RowProfiles, slow_waves
from stylegan3.networks.specs import INPUT_LOCKS, GeneratorSpec
from stylegan3.networks.ways import Operated, inside
from stylegan3.ops.bias_act import SQRT2, bias_act
from stylegan3.ops.blocks import Blocks, blocked, filled, planes
from stylegan3.ops.convolution import by_winograd
from stylegan3.ops.ends import to_picture
from stylegan3.ops.filtered_lrelu import filtered_lrelu
from stylegan3.ops.modulation import demodulation, modulated_conv2d
from stylegan3.ops.winograd_modulated import modulated_blocks

Noise = str | Tensor
STILL = (1.0, 0.0, 0.0, 0.0)  # cosine, sine, shifts along columns and rows: nothing moves
HALF_LIFE = 20000  # pictures in which a magnitude forgets half


class FourierInput(nn.Module):
    """Random waves inside a disc of frequencies, turned and shifted by w, mixed to channels.

    ``transform`` is the user's own turn or shift, a 3x3 matrix on (x, y, 1) in canvas units; the identity when trained.
    ``lock`` keeps w from some of that (specs.INPUT_LOCKS): a picture whose two axes mean different things has no use
    for a turn, and none for a shift along an axis on which a place means something. At the start w moves nothing, so
    that a locked input equals a free one.
    Shape: w [N, W] -> [N, C, H, W'].
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(
        self, channels: int, w_dim: int, size: tuple[int, int], rate: float, band: float, lock: str = "none"
    ) -> None:
        super().__init__()
        self.size, self.rate, self.band = size, rate, band
        self.locked = [number in INPUT_LOCKS[lock] for number in range(4)]
        self.affine = Dense(w_dim, 4)
        self.weight = parameter(channels, channels)
        self.register_buffer("freqs", torch.empty(channels, 2))
        self.register_buffer("phases", torch.empty(channels))
        self.register_buffer("transform", torch.eye(3))

    @torch.no_grad()
    def reset(self, rng: torch.Generator) -> None:
        """Draw waves and mixing weights; w neither turns nor shifts at the start."""
        nn.init.zeros_(self.affine.weight)
        self.affine.bias.copy_(torch.tensor(STILL))
        fill_normal(self.weight, rng)
        fill_normal(self.freqs, rng)
        radius = self.freqs.norm(dim=1, keepdim=True)
        # the direction, at radius exp(-r^2/4): uniform over the disc when r is Rayleigh distributed
        self.freqs.div_(radius * radius.square().exp().pow(0.25)).mul_(self.band)
        self.phases.copy_(torch.rand(self.phases.shape, generator=rng, device=rng.device) - 0.5)

    def motion(self, w: Tensor) -> Tensor:
        """Return each picture's R T(-t) times the user's matrix. Shape: [N, W] -> [N, 2, 3]."""
        a = self.affine(w)
        if any(self.locked):
            still = [a.new_full((len(a),), value) for value in STILL]
            a = torch.stack(
                [s if lock else own for s, lock, own in zip(still, self.locked, a.unbind(1), strict=True)], dim=1
            )
        a = a / a[:, :2].norm(dim=1, keepdim=True)
        c, s, x, y = a.unbind(dim=1)
        # rows of the product of a rotation and a shift by -(x, y)
        first = torch.stack([c, -s, s * y - c * x], dim=1)
        second = torch.stack([s, c, -s * x - c * y], dim=1)
        return torch.stack([first, second], dim=1) @ self.transform

    def forward(self, w: Tensor) -> Tensor:
        motion = self.motion(w)
        freqs = self.freqs @ motion[:, :, :2]  # [N, C, 2]
        phases = self.phases + (self.freqs @ motion[:, :, 2:]).squeeze(2)
        above = (freqs.norm(dim=2) - self.band) / (self.rate / 2 - self.band)
        amplitudes = (1 - above).clamp(0, 1)  # fades from the band limit to the Nyquist frequency
        x, y = (self.coordinates(n, freqs) for n in (self.size[1], self.size[0]))
        across = 2 * pi * (freqs[:, :, :1] * x + phases[:, :, None])  # [N, C, W']
        along = 2 * pi * freqs[:, :, 1:] * y  # [N, C, H]
        # sin(a + b) = cos b sin a + sin b cos a: a product of rank two in place of a sine a pixel
        left = torch.stack([along.cos(), along.sin()], dim=3) * amplitudes[:, :, None, None]
        waves = left @ torch.stack([across.sin(), across.cos()], dim=2)
        mix = self.weight / self.weight.shape[1] ** 0.5
        return torch.matmul(mix, waves.flatten(2)).unflatten(2, self.size)

    def coordinates(self, n: int, like: Tensor) -> Tensor:
        """Return the n sample positions of one axis, centred, in canvas widths."""
        return (torch.arange(n, dtype=like.dtype, device=like.device) + 0.5 - n / 2) / self.rate


class Layer(Operated):
    """Modulated convolution, then a filtered leaky relu from the layer's own rate to the next one's."""

    magnitude: Tensor

    def __init__(self, numbers: LayerNumbers, w_dim: int, clamp: float) -> None:
        super().__init__()
        self.numbers, self.clamp = numbers, clamp
        k = numbers.kernel
        self.affine = Dense(w_dim, numbers.channels_in, start=1.0)
        self.weight = parameter(numbers.channels_out, numbers.channels_in, k, k)
        self.bias = parameter(numbers.channels_out)
        self.register_buffer("magnitude", torch.ones(()))  # mean square of the input
        self.fu, self.fd, self.padding = numbers.up_filter(), numbers.down_filter(), numbers.cropped_padding

    def reset(self, rng: torch.Generator) -> None:
        """Draw the weights; the bias is 0."""
        self.affine.reset(rng)
        fill_normal(self.weight, rng)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor | Blocks, w: Tensor) -> Tensor | Blocks:
        """Shape: [N, I, H, W] -> [N, O, H', W']; in blocks where a CPU convolves so, and taken in blocks or not."""
        k, n = self.numbers, self.numbers.kernel
        styles, gain = self.affine(w), self.magnitude.rsqrt()
        if k.output:
            styles = styles * (gain / (k.channels_in * n * n) ** 0.5)
            y = to_picture(x, self.weight, styles, impl=self.impl)
            return bias_act(y, self.bias, clamp=self.clamp, impl=self.impl)
        weight: Tensor = self.weight
        if self.cramped:  # demodulation takes either scale out again; a picture's doesn't depend on its batch
            weight = weight * weight.square().sum(dim=(1, 2, 3), keepdim=True).rsqrt()
            styles = styles * styles.square().mean(dim=1, keepdim=True).rsqrt()
        x = Blocks(inside(x.numbers, self.inner), x.channels) if isinstance(x, Blocks) else inside(x, self.inner)
        padding = n - 1 - k.crop
        if by_winograd(x, weight, padding, self.impl):
            d = demodulation(weight, styles) * gain
            made = modulated_blocks(blocked(x), styles, d, weight, padding)
            return Blocks(self._activated(made.numbers, filled(self.bias)), k.channels_out)
        y = modulated_conv2d(planes(x), weight, styles, padding=padding, gain=gain, impl=self.impl)
        return self._activated(y, self.bias)

    def _activated(self, y: Tensor, bias: Tensor) -> Tensor:
        k = self.numbers
        return filtered_lrelu(
            y, self.fu, self.fd, bias, up=k.up, down=k.down, padding=self.padding, gain=SQRT2, slope=SLOPE,
            clamp=self.clamp, impl=self.impl,
        )  # fmt: skip


class AliasFreeSynthesis(nn.Module):
    """ws [N, num_ws, W] -> pictures [N, C, F, T]."""

    noise_size = 0

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        numbers = layer_numbers(spec)
        first = numbers[0]
        self.num_ws, self.scale = len(numbers) + 1, spec.output_scale
        self.input = FourierInput(
            first.channels_in, spec.w_dim, first.size_in, first.rate_in, first.cutoff_in, spec.input_lock
        )
        self.rows = self._row_features(spec, first) if spec.row_features else None
        self.gains = RowGains(spec.row_gains, spec.shape, spec.w_dim) if spec.row_gains else None
        self.layers = nn.ModuleList(Layer(n, spec.w_dim, spec.clamp) for n in numbers)
        self._sums = [f"magnitude.{i}" for i in range(len(numbers))]  # their names among the moments

    @staticmethod
    def _row_features(spec: GeneratorSpec, first: LayerNumbers) -> RowProfiles:
        rows = first.size_in[0]
        waves = slow_waves(rows, first.rate_in, first.cutoff_in)
        return RowProfiles(spec.row_features, first.channels_in, spec.w_dim, rows, waves)

    def reset(self, rng: torch.Generator) -> None:
        """Draw all weights; those of the rows last, so that the others don't depend on whether there are any."""
        self.input.reset(rng)
        for layer in cast(list[Layer], self.layers):
            layer.reset(rng)
        for profiles in (self.rows, self.gains):
            if profiles is not None:
                profiles.reset(rng)

    def forward(self, ws: Tensor, *, noise: Noise = "const", moments: Moments | None = None) -> Tensor:
        """Make pictures; this kind has no noise and leaves ``noise`` unread."""
        each = ws.unbind(1)
        start = self.input(each[0])
        if self.rows is not None:
            start = start + self.rows(each[0])
        x: Tensor | Blocks = start
        for i, layer in enumerate(self.layers):
            if moments is not None:
                total = x.mean_squares() if isinstance(x, Blocks) else mean_square(x.detach()).sum()
                moments.add(self._sums[i], total, len(ws))
            x = layer(x, each[i + 1])
        picture = planes(x)
        if self.gains is not None:
            picture = self.gains.applied(picture, each[-1])
        return picture * self.scale

    @torch.no_grad()
    def update_averages(self, moments: Moments) -> None:
        """Move each layer's magnitude towards the mean square gathered."""
        if self._sums[0] not in moments.sums:
            return  # all are there or none
        sums, count = [moments.sums[name] for name in self._sums], moments.counts[self._sums[0]]
        magnitudes = [layer.magnitude for layer in cast(list[Layer], self.layers)]
        torch._foreach_lerp_(magnitudes, torch._foreach_div(sums, count), 1 - 0.5 ** (count / HALF_LIFE))
