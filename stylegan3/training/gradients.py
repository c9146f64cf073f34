# SPDX-License-Identifier: Apache-2.0
"""A network's gradients, summed over ranks: fixed buckets in a fixed order, while the backward pass still runs.

Buckets are filled from the last parameter to the first, as a backward pass reaches them. One is sent as soon as it and
all before it are whole, so that every rank sends the same buckets in the same order; what a pass doesn't reach is sent
after it as zeros.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from stylegan3.training.ranks import Ranks, Wait

BUCKET_BYTES = 16 * 2**20
LARGEST = 1e5
"""What an infinite gradient becomes where losses are scaled, since float16 overflows at 65504."""

NONFINITE = "Gradients/nonfinite/"
"""Begins names of statistics: the share of what was replaced, of parameters' gradients and of those within losses."""


class Gradients:
    """The gradients of some parameters, all of one type, over all ranks.

    Args:
        scale: by which losses are multiplied before their backward passes, 1 for none.
        bucket_bytes: the most that a bucket holds.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], ranks: Ranks, *, scale: float = 1.0, bucket_bytes: int = BUCKET_BYTES
    ) -> None:
        self._parameters, self._ranks, self._scale = list(parameters), ranks, scale
        self._buckets = buckets(self._parameters, bucket_bytes) if ranks.count > 1 else []
        self._missing: list[int] = []  # gradients that each bucket still waits for; empty outside the last pass
        self._sent: list[tuple[Tensor, Wait]] = []
        for number, bucket in enumerate(self._buckets):
            for parameter in bucket:
                trained = parameter.requires_grad
                parameter.requires_grad_(True).register_post_accumulate_grad_hook(self._arrival(number))
                parameter.requires_grad_(trained)

    def before_last_pass(self) -> None:
        """Expect the last backward pass of a phase: what it completes is sent at once."""
        self._missing = [len(bucket) for bucket in self._buckets]

    def finish(self) -> Tensor | None:
        """Leave in every parameter's `grad` the sum over all ranks, of losses as they were; None stays None.

        Where losses were scaled NaN becomes 0 and an infinity a large number. Returned is then, for each gradient,
        whether it was finite, the same on all ranks; else None.

        Shape: [gradients], bool.
        """
        self._missing = []
        while len(self._sent) < len(self._buckets):
            self._send()
        for bucket, (flat, wait) in zip(self._buckets, self._sent, strict=True):
            wait()
            for parameter, part in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
                if parameter.grad is not None:
                    parameter.grad = part.view(parameter.shape)
        self._sent = []
        if self._scale == 1:
            return None
        found = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        torch._foreach_div_(found, self._scale)
        norms = torch.stack(torch._foreach_norm(found))  # squares end at 1e38; no gradient of use comes near 1e19
        for gradient in found:
            finite(gradient, out=gradient)
        return norms.isfinite()

    def _arrival(self, number: int) -> Callable[[Tensor], None]:
        def arrived(parameter: Tensor) -> None:
            if not self._missing:
                return
            self._missing[number] -= 1
            while len(self._sent) < len(self._buckets) and self._missing[len(self._sent)] == 0:
                self._send()

        return arrived

    def _send(self) -> None:
        bucket = self._buckets[len(self._sent)]
        with torch.no_grad():
            flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in bucket])
        self._sent.append((flat, self._ranks.start_sum(flat)))


def finite(gradient: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a gradient with 0 for NaN and a large number for an infinity. Shape: any -> same."""
    return torch.nan_to_num(gradient, nan=0.0, posinf=LARGEST, neginf=-LARGEST, out=out)


def buckets(parameters: Sequence[nn.Parameter], most: int) -> list[list[nn.Parameter]]:
    """Cut parameters, last first, into runs of at most `most` bytes; a larger one stands alone."""
    found: list[list[nn.Parameter]] = []
    size = most
    for parameter in reversed(parameters):
        own = parameter.numel() * parameter.element_size()
        if size + own > most:
            found.append([])
            size = 0
        found[-1].append(parameter)
        size += own
    return found
