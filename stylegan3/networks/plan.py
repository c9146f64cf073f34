# SPDX-License-Identifier: Apache-2.0
"""StyleGAN3's layers in numbers: band limits, rates, canvases, filters (Karras et al. 2021, section 3.2, appendix C).

N is the smaller side of the picture. Frequencies are in cycles across N's side, rates in samples across it. For layer
i of n with k critically sampled ones, e = min(i / (n - k), 1):

    cutoff     f_c = first_cutoff (N/2 / first_cutoff)^e
    stopband   f_t = first_stopband (N/2 last_stopband_rel / first_stopband)^e
    rate       s   = 2^ceil(log2 min(2 f_t, N))
    half width f_h = max(f_t, s/2) - f_c
    canvas         = (s F/N + 2 margin) x (s T/N + 2 margin), the last two F x T
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from stylegan3.networks.specs import GeneratorSpec
from stylegan3.ops.filters import lowpass, radial_lowpass
from stylegan3.ops.resampling import Taps


@dataclass(frozen=True)
class Stage:
    """What lies between two layers: a band-limited signal on a canvas."""

    cutoff: float
    rate: int
    half_width: float
    size: tuple[int, int]
    channels: int


@dataclass(frozen=True)
class LayerNumbers:
    """One layer: from a stage to the next, and how."""

    before: Stage
    after: Stage
    kernel: int
    output: bool
    radial: bool
    raised: int  # the rate at which the leaky relu acts
    filter_size: int

    @property
    def channels_in(self) -> int:
        """Channels before."""
        return self.before.channels

    @property
    def channels_out(self) -> int:
        """Channels after."""
        return self.after.channels

    @property
    def size_in(self) -> tuple[int, int]:
        """Rows and columns before."""
        return self.before.size

    @property
    def rate_in(self) -> int:
        """Samples across N before."""
        return self.before.rate

    @property
    def cutoff_in(self) -> float:
        """Band limit before."""
        return self.before.cutoff

    @property
    def up(self) -> int:
        """Factor from the rate before to the raised one."""
        return self.raised // self.before.rate

    @property
    def down(self) -> int:
        """Factor from the raised rate to the one after."""
        return self.raised // self.after.rate

    def taps(self, factor: int) -> int:
        """Return a filter's length: 1 where nothing is resampled."""
        return self.filter_size * factor if factor > 1 and not self.output else 1

    def up_filter(self) -> Taps | None:
        """Return the taps of the filter up; None is the identity."""
        n = self.taps(self.up)
        return (
            None if n == 1 else tuple(lowpass(n, self.before.cutoff, 2 * self.before.half_width, self.raised).tolist())
        )

    def down_filter(self) -> Taps | tuple[Taps, ...] | None:
        """Return the taps of the filter down, 2-D where radial; None is the identity."""
        n, s = self.taps(self.down), self.after
        if n == 1:
            return None
        if self.radial:
            rows = radial_lowpass(n, s.cutoff, 2 * s.half_width, self.raised)
            return tuple(tuple(row) for row in rows.tolist())
        return tuple(lowpass(n, s.cutoff, 2 * s.half_width, self.raised).tolist())

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Samples x0, x1, y0, y1 at the raised rate that keep samples centred (appendix C.3)."""
        (y0, y1), (x0, x1) = (self._pad(a, b) for a, b in zip(self.before.size, self.after.size, strict=True))
        return x0, x1, y0, y1

    @property
    def crop(self) -> int:
        """Samples at each edge of the full convolution that the filter up doesn't read: they needn't be computed.

        With taps[r + n - 1 - p0 - i up] (upfirdn.py), the first raised sample reads from i = -floor(p0 / up) on, the
        last one up to floor((p1 - 1) / up) samples past the end.
        """
        x0, x1, y0, y1 = self.padding
        unread = min(-(x0 // self.up), -(y0 // self.up), -((x1 - 1) // self.up) - 1, -((y1 - 1) // self.up) - 1)
        return min(max(unread, 0), self.kernel - 1)

    @property
    def cropped_padding(self) -> tuple[int, int, int, int]:
        """The padding, counted from the cropped convolution."""
        x0, x1, y0, y1 = (p + self.crop * self.up for p in self.padding)
        return x0, x1, y0, y1

    def _pad(self, n_in: int, n_out: int) -> tuple[int, int]:
        convolved = n_in + self.kernel - 1  # the convolution's padding is full
        needed = (n_out - 1) * self.down + 1  # raised samples that the last filter is centred on
        total = needed - convolved * self.up + self.taps(self.up) + self.taps(self.down) - 2
        low = (total + self.up) // 2
        return low, total - low


def _stage(spec: GeneratorSpec, i: int) -> Stage:
    """Return the signal after layer i (0 also describes the input)."""
    n, c, f, t = spec.size, *spec.shape
    e = min(i / (spec.num_layers - spec.num_critical), 1.0)
    last_stopband = n / 2 * spec.last_stopband_rel
    cutoff = spec.first_cutoff * (n / 2 / spec.first_cutoff) ** e
    stopband = spec.first_stopband * (last_stopband / spec.first_stopband) ** e
    rate = 2 ** ceil(log2(min(2 * stopband, n)))
    final = i >= spec.num_layers - 1
    size = (f, t) if final else (rate * f // n + 2 * spec.margin, rate * t // n + 2 * spec.margin)
    width = c if i == spec.num_layers else round(min(spec.channel_base / 2 / cutoff, spec.channel_max))
    return Stage(cutoff, rate, max(stopband, rate / 2) - cutoff, size, width)


def layer_numbers(spec: GeneratorSpec) -> list[LayerNumbers]:
    """Return the numbers of all layers, the output layer last."""
    stages = [_stage(spec, i) for i in range(spec.num_layers + 1)]
    layers = []
    for i, after in enumerate(stages):
        before = stages[max(i - 1, 0)]
        output = i == spec.num_layers
        radial = spec.kind == "stylegan3-r" and i < spec.num_layers - spec.num_critical
        raised = max(before.rate, after.rate) * (1 if output else spec.lrelu_upsampling)
        kernel = 1 if output else spec.kernel
        layers.append(LayerNumbers(before, after, kernel, output, radial, raised, spec.filter_size))
    return layers
