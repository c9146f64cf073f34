# SPDX-License-Identifier: Apache-2.0
"""The filtered leaky relu in C++ on the CPU: the engine, and its pass over planes (lrelu.cpp)."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from stylegan3.ops.native import cpu, lrelu_inner
from stylegan3.ops.native.tables import tables_for, why_not
from stylegan3.ops.plans import Plan, resampling_plan
from stylegan3.ops.resampling import Terms

ACTIVATE, ACTIVATE_AND_KEEP, MULTIPLY, LINEAR = range(4)


class Cpu:
    """The engine in C++, for planes and channels innermost (lrelu_inner.py); keeps codes, 2 bits a raised sample."""

    name = "C++"

    def why_not(self, x: Tensor, plan: Plan) -> str | None:
        """Return why a tensor and a plan can't be served; None where they can."""
        return why_not(plan) if x.dtype in cpu.KINDS else f"it takes no {x.dtype}"

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        """Return y and the codes."""
        if lrelu_inner.serves(x, plan):
            codes = lrelu_inner.codes_for(x, plan) if keep else None
            return lrelu_inner.run(x, b, codes, plan, ACTIVATE_AND_KEEP if keep else ACTIVATE), (codes,)
        n, c = x.shape[:2]
        rows, columns = plan.raised
        codes = x.new_empty(n * c, -(-rows // 4), columns, dtype=torch.uint8) if keep else None
        return _call(x, b, codes, plan, ACTIVATE_AND_KEEP if keep else ACTIVATE), (codes,)

    def linear(self, g: Tensor, kept: tuple[Tensor | None, ...], plan: Plan, backward: bool) -> Tensor:
        """Return D (s . U g), or U^T (s . D^T g) where ``backward``."""
        (codes,) = kept
        assert codes is not None
        plan = plan.transposed if backward else plan
        if lrelu_inner.are_codes(codes):
            return lrelu_inner.run(g.contiguous(memory_format=torch.channels_last), None, codes, plan, MULTIPLY)
        return _call(g, None, codes, plan, MULTIPLY)

    def resamples(self, x: Tensor, terms: Terms) -> bool:
        """Return whether it can resample a tensor, to planes whose channels lie outermost."""
        single = all(b.up == 1 or b.down == 1 for pair in terms for b in pair)
        return single and self.why_not(x, resampling_plan(terms)) is None

    def resample(self, x: Tensor, terms: Terms) -> Tensor:
        """Apply a (row band, column band) product to pictures [N, C, H, W]."""
        return _call(x, None, None, resampling_plan(terms), LINEAR)


def _call(x: Tensor, b: Tensor | None, codes: Tensor | None, plan: Plan, mode: int) -> Tensor:
    n, c = x.shape[:2]
    x = x.contiguous()
    y = x.new_empty(n, c, *plan.size)
    bias = None if b is None else b.detach().to(torch.promote_types(x.dtype, torch.float32)).contiguous()
    addresses = [None if t is None else t.data_ptr() for t in (x, bias, codes, y)]
    cpu.library().filtered_lrelu(
        ctypes.byref(tables_for(plan)), mode, cpu.KINDS[x.dtype], *addresses, n * c, c if bias is None else len(bias),
        torch.get_num_threads(),
    )  # fmt: skip
    return y
