# SPDX-License-Identifier: Apache-2.0
"""Whether an engine computes what plain PyTorch does on this machine: values, gradients and the gradients of those.

A miscompiled kernel or a driver that lies must not spoil a training of days: an engine serves only after this.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.bias_act import SQRT2, scaled_bias_lrelu
from stylegan3.ops.blocks import blocked, planes
from stylegan3.ops.filters import lowpass
from stylegan3.ops.halving import doubled, halved
from stylegan3.ops.interfaces import Engine, Kernels
from stylegan3.ops.layout import layout_of
from stylegan3.ops.mixing import to_few, to_many
from stylegan3.ops.native.build import cache_folder, digest
from stylegan3.ops.native.cpu import processor
from stylegan3.ops.plans import Plan, plan_for
from stylegan3.ops.resampling import Taps, axis_band, resampled, transposed
from stylegan3.ops.tiles import Tiles
from stylegan3.ops.winograd import winograd
from stylegan3.ops.winograd_modulated import modulated_blocks, modulated_winograd

KINDS = {
    "cpu": (torch.float32, torch.float64, torch.bfloat16),
    "cuda": (torch.float32, torch.float16, torch.bfloat16),
}
ALLOWED = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
"""Largest difference relative to the largest value, by precision: some roundings of sums of about 50 products."""
TF32 = 2e-3  # of float32 where torch may use ten bits of it
SIDES = {torch.float64: 1e-12, torch.float32: 1e-2, torch.float16: 6e-2, torch.bfloat16: 0.2}
"""The same of gradients, in the mean square: rounding moves a few raised samples over a kink."""
FIR = (0.125, 0.375, 0.375, 0.125)
LAYOUTS = (torch.contiguous_format, torch.channels_last)


@dataclass(frozen=True)
class Case:
    """One layer: resampling, padding and canvas."""

    up: int
    down: int
    padding: tuple[int, int, int, int]
    size: tuple[int, int]

    def taps(self, factor: int) -> Taps:
        """Return a filter as in StyleGAN3: six taps a raised sample, one where nothing is resampled."""
        return tuple(lowpass(6 * factor, 8.0, 12.0, 64.0).tolist()) if factor > 1 else (1.0,)

    @property
    def plan(self) -> Plan:
        """The layer's plan, with a clamp that some samples reach."""
        shape = (2.0**0.5, 0.2, 1.5)
        return plan_for(
            self.taps(self.up), self.taps(self.down), self.up, self.down, self.padding, self.size, shape, False
        )


CASES = (
    Case(2, 2, (9, 8, 9, 8), (21, 37)),
    Case(4, 2, (-6, -9, -6, -9), (23, 18)),
    Case(2, 2, (-11, -12, -11, -12), (75, 70)),
    Case(1, 1, (0, 0, 0, 0), (9, 5)),
)


def draw(shape: tuple[int, ...], seed: int, kind: torch.dtype, device: torch.device) -> Tensor:
    """Return seeded normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device, kind)


def _difference(found: Tensor, right: Tensor) -> float:
    return float((found.double() - right.double()).abs().max() / right.double().abs().max())


def differences(
    engine: Engine, case: Case, kind: torch.dtype, device: torch.device, channels: int = 3, innermost: bool = False
) -> dict[str, float]:
    """Return the differences to plain PyTorch on the same numbers in float64, relative.

    The value's is the largest; those of the gradients are in the mean square, since a raised sample on a kink may fall
    to either side.
    """
    plan = case.plan
    layout = torch.channels_last if innermost else torch.contiguous_format
    x = draw((2, channels, *case.size), 0, kind, device).contiguous(memory_format=layout)
    b = draw(((1 + innermost) * channels,), 1, kind, device)  # of two pictures in turn
    right = Tiles()
    y, kept = engine.forward(x, b, plan, True)
    expected, kept_right = right.forward(x.double(), b.double(), plan, True)
    found = {"value": _difference(y, expected)}
    for name, size, backward in (("gradient", plan.size, True), ("second gradient", case.size, False)):
        g = draw((2, channels, *size), 2, kind, device)
        theirs = right.linear(g.double(), kept_right, plan, backward)
        ours = engine.linear(g, kept, plan, backward).double()
        found[name] = float((ours - theirs).norm() / theirs.norm())
    return found


def failure(kernels: Kernels, device: torch.device) -> str | None:
    """Return what kernels compute wrongly on a device; None where they compute all cases rightly."""
    checks = [resampling_failure, scaled_failure, styled_failure, engine_failure]
    checks += [convolution_failure, modulated_failure, mixing_failure] if device.type == "cpu" else []
    for kind in KINDS[device.type]:
        for check in checks:
            wrong = check(kernels, kind, device)
            if wrong is not None:
                return f"{wrong}, {kind}"
    return None


def allowed(kind: torch.dtype, device: torch.device) -> float:
    """Return the largest difference of values, relative."""
    rounded = device.type == "cuda" and kind == torch.float32 and torch.backends.cuda.matmul.allow_tf32
    return TF32 if rounded else ALLOWED[kind]


def engine_failure(kernels: Kernels, kind: torch.dtype, device: torch.device) -> str | None:
    """Return what the filtered leaky relu computes wrongly in a precision; on a CPU with channels innermost as well."""
    lie = ((3, False), (17, True)) if device.type == "cpu" else ((3, False),)
    for case, (channels, innermost) in product(CASES, lie):
        for name, found in differences(kernels.engine, case, kind, device, channels, innermost).items():
            bound = allowed(kind, device) if name == "value" else SIDES[kind]
            if not found <= bound:  # NaN too
                return f"{name} of filtered_lrelu off by {found:.1e} ({bound:.0e}) at up {case.up}, down {case.down}"
    return None


def resampling_failure(kernels: Kernels, kind: torch.dtype, device: torch.device) -> str | None:
    """Return what the resampling computes wrongly in a precision, in either layout."""
    for (up, down), layout in product(((2, 1), (1, 2), (1, 1)), LAYOUTS):
        rows, columns = (axis_band(FIR, up, down, (2, 1), n, 1.0, False) for n in (22, 37))
        for terms in (((rows, columns),), transposed(((rows, columns),))):
            g = draw((2, 17, terms[0][0].n_in, terms[0][1].n_in), 1, kind, device).contiguous(memory_format=layout)
            kernel = kernels.resampler(g, terms)
            found = 0.0 if kernel is None else _difference(kernel(g, terms), resampled(g.double(), terms))
            if not found <= allowed(kind, device):
                return f"resampling by {up}/{down} off by {found:.1e}"
    return None


@torch.inference_mode(False)  # whoever asks first may do so in it
@torch.enable_grad()
def styled_failure(kernels: Kernels, kind: torch.dtype, device: torch.device) -> str | None:
    """Return what the end of a convolution computes wrongly in a precision, in either layout, with d and without."""
    wide = torch.promote_types(kind, torch.float32)
    x, level = draw((2, 5, 7, 9), 0, kind, device), draw((1, 1, 7, 9), 1, wide, device)
    d, bias = draw((2, 5), 2, wide, device), draw((5,), 3, wide, device)
    for layout, scaled in product(LAYOUTS, (True, False)):
        conv = x.contiguous(memory_format=layout)
        kernel = kernels.styler(conv)
        if kernel is None:
            continue
        found = _ended(kernel, 3 + scaled, conv, level, bias, d if scaled else None)
        scale = d if scaled else torch.ones_like(d)
        right = _ended(scaled_bias_lrelu, 3 + scaled, *(t.double() for t in (conv, level, bias, scale)))
        for name, ours in found.items():
            off, bound = float((ours - right[name]).norm() / right[name].norm()), SIDES[kind]
            if name == "value":
                off, bound = _difference(ours, right[name]), allowed(kind, device)
            if not off <= bound:  # NaN too
                return f"{name} of demodulation, noise and activation off by {off:.1e} ({bound:.0e})"
    return None


def _ended(
    styler: Callable[..., Tensor], several: int, conv: Tensor, level: Tensor, bias: Tensor, d: Tensor | None
) -> dict[str, Tensor]:
    """Return a value, its gradients, and the gradient of `several` of those."""
    leaves = [t.detach().requires_grad_() for t in (conv, level, bias, d) if t is not None]
    y = styler(leaves[0], leaves[3] if len(leaves) > 3 else None, *leaves[1:3], gain=SQRT2, clamp=1.5)
    along = torch.linspace(-1, 1, y.numel(), device=y.device).view_as(y).to(y.dtype).requires_grad_()
    first = torch.autograd.grad(y, leaves, along, create_graph=True)
    total = first[0].square().sum() + sum(f.sum() for f in first[1:several])  # gradients of sums come in expanded
    (second,) = torch.autograd.grad(total, along)
    names = ("gradient", "gradient for the noise", "gradient for the bias", "gradient for d")
    found = {"value": y, **dict(zip(names, first, strict=False)), "second gradient": second}
    return {name: t.detach() for name, t in found.items()}


def scaled_failure(kernels: Kernels, kind: torch.dtype, device: torch.device) -> str | None:
    """Return what the scaling of channels computes wrongly in a precision, in either layout."""

    def right(x: Tensor, scale: Tensor) -> Tensor:
        return x * scale[:, :, None, None]

    for layout, to in product(LAYOUTS, LAYOUTS):
        x = draw((2, 17, 9, 7), 0, kind, device).contiguous(memory_format=layout)
        if (kernel := kernels.scaler(x)) is None:
            continue
        given = x, draw((2, 17), 1, kind, device)
        if not kernel(*given, to).is_contiguous(memory_format=to):
            return "layout of scaled channels"
        wrong = _multilinear_failure(partial(kernel, to=to), right, given)
        if wrong is not None:
            return f"{wrong} of scaled channels"
    return None


def convolution_failure(kernels: Kernels, kind: torch.dtype, device: torch.device) -> str | None:
    """Return what the CPU's Winograd convolutions compute wrongly in a precision, in either layout."""
    w = draw((18, 17, 3, 3), 1, torch.promote_types(kind, torch.float32), device)
    cases: tuple[tuple[str, Callable[..., Tensor], Callable[..., Tensor], tuple[int, ...]], ...] = (
        ("convolution", partial(winograd, padding=1), partial(F.conv2d, padding=1), (2, 17, 30, 23)),
        ("convolution with stride 2", halved, partial(F.conv2d, stride=2), (2, 17, 61, 47)),
        ("transposed convolution", doubled, partial(F.conv_transpose2d, stride=2), (2, 18, 30, 23)),
    )
    for (name, way, right, shape), layout in product(cases, LAYOUTS):
        x = draw(shape, 0, kind, device).contiguous(memory_format=layout)
        wrong = _multilinear_failure(way, right, (x, w))
        if wrong is not None:
            return f"{wrong} of the {name}"
    return None


def modulated_failure(kernels: Kernels, kind: torch.dtype, device: torch.device) -> str | None:
    """Return what the CPU's Winograd convolution with factors on both sides computes wrongly, in either layout."""

    def right(x: Tensor, s: Tensor, d: Tensor, w: Tensor) -> Tensor:
        return d[:, :, None, None] * F.conv2d(s[:, :, None, None] * x, w, padding=1)

    wide = torch.promote_types(kind, torch.float32)
    s, d, w = draw((2, 17), 1, wide, device), draw((2, 18), 2, wide, device), draw((18, 17, 3, 3), 3, wide, device)

    def by_blocks(x: Tensor, s: Tensor, d: Tensor, w: Tensor) -> Tensor:
        return planes(modulated_blocks(blocked(x), s, d, w, 1))

    plain = partial(modulated_winograd, padding=1)
    ways = ((plain, torch.contiguous_format), (plain, torch.channels_last), (by_blocks, torch.contiguous_format))
    for way, layout in ways:
        x = draw((2, 17, 30, 23), 0, kind, device).contiguous(memory_format=layout)
        wrong = _multilinear_failure(way, right, (x, s, 1 + d.square(), w))
        if wrong is not None:
            return f"{wrong} of the modulated convolution"
    return None


def mixing_failure(kernels: Kernels, kind: torch.dtype, device: torch.device) -> str | None:
    """Return what the CPU's 1x1 convolutions between few channels and many compute wrongly, in either layout."""
    wide = torch.promote_types(kind, torch.float32)
    few = draw((2, 3, 33, 35), 0, wide, device)
    for layout, matrices in product(LAYOUTS, (1, 2)):
        w = draw((matrices, 3, 17), 1, wide, device)
        many = draw((2, 17, 33, 35), 2, kind, device).contiguous(memory_format=layout)
        for way, x, formula in (
            (partial(to_many, kind=kind, layout=layout), few, "nfhw,nfm->nmhw"),
            (to_few, many, "nmhw,nfm->nfhw"),
        ):
            right = lambda x, w, formula=formula: torch.einsum(formula, x, w.expand(len(x), -1, -1))  # noqa: E731
            wrong = _multilinear_failure(way, right, (x, w))
            if wrong is not None:
                return f"{wrong} of {formula}"
    return None


ORDINALS = ("", "second factor's ", "third factor's ", "fourth factor's ")


@torch.inference_mode(False)
@torch.enable_grad()
def _multilinear_failure(
    way: Callable[..., Tensor], right: Callable[..., Tensor], given: tuple[Tensor, ...]
) -> str | None:
    """Return which of a map's value and gradients is off, and how far, against another way in float64."""
    leaves = [t.detach().clone().requires_grad_() for t in given]
    exact = [t.detach().clone().double().requires_grad_() for t in given]
    y, expected = way(*leaves), right(*exact)
    bound = max(ALLOWED[t.dtype] for t in (*given, y))
    g = draw(tuple(y.shape), 2, y.dtype, y.device).contiguous(memory_format=layout_of(y))
    found = (y, *torch.autograd.grad(y, leaves, g))
    theirs = (expected, *torch.autograd.grad(expected, exact, g.double()))
    names = ("value", *(f"{ordinal}gradient" for ordinal in ORDINALS[: len(given)]))
    for name, ours, other in zip(names, found, theirs, strict=True):
        off = _difference(ours.detach(), other.detach())
        if not off <= bound:  # NaN too
            return f"{name} off by {off:.1e} ({bound:.0e})"
    return None


def milliseconds(engine: Engine, device: torch.device) -> float:
    """Return what a layer of StyleGAN3 and its gradient take: the least of some runs."""
    plan = Case(2, 2, (9, 8, 9, 8), (150, 150)).plan
    kind = torch.float32 if device.type == "cpu" else torch.float16
    x, b = draw((1, 64, 150, 150), 0, kind, device), draw((64,), 1, kind, device)
    found = []
    for _ in range(5):
        start = time.perf_counter()
        y, kept = engine.forward(x, b, plan, True)
        engine.linear(y, kept, plan, True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(1000 * (time.perf_counter() - start))
    return min(found)


@dataclass(frozen=True)
class Record:
    """Where it is written that kernels passed, and their milliseconds; another source, torch or device has another."""

    path: Path

    def recalled(self) -> float | None:
        """Return the milliseconds; None where the kernels have not passed yet."""
        try:
            return float(self.path.read_text())
        except (OSError, ValueError):
            return None

    def keep(self, value: float) -> None:
        """Write it down, whole or not at all; a cache that can't be written is no loss."""
        part = self.path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            part.write_text(f"{value:.4f}")
            part.replace(self.path)


def record_of(name: str, device: torch.device) -> Record:
    """Return the record of some kernels on a device."""
    sources = sorted(path for path in Path(__file__).parent.rglob("*") if path.suffix in (".py", ".cpp", ".h", ".cu"))
    tf32 = device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32  # products are others then
    card = processor() if device.type == "cpu" else torch.cuda.get_device_name(device)
    key = digest(sources, name, card, torch.__version__, str(torch.version.cuda), str(tf32))
    return Record(cache_folder() / f"passed-{key}")
