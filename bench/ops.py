# SPDX-License-Identifier: Apache-2.0
"""Time the operations: the fast path against the plain definition, on the CPU. Prints a page in Markdown.

python bench/ops.py                # under a minute; OMP_NUM_THREADS sets the threads
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from stylegan3.ops.filtered_lrelu import filtered_lrelu
from stylegan3.ops.filters import lowpass, radial_lowpass
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.modulation import modulated_conv2d
from stylegan3.ops.upfirdn import upfirdn2d

LINE = tuple(lowpass(12, 16.0, 10.0, 168).tolist())
DISC = tuple(tuple(row) for row in radial_lowpass(12, 16.0, 10.0, 168).tolist())
FIR = (0.125, 0.375, 0.375, 0.125)
Operation = Callable[[Tensor, Impl], Tensor]


def layer(x: Tensor, impl: Impl) -> Tensor:
    """Run the filtered leaky relu of a StyleGAN3-T layer."""
    return filtered_lrelu(x, LINE, LINE, up=2, down=2, padding=(9, 8, 9, 8), clamp=256, impl=impl)


def radial(x: Tensor, impl: Impl) -> Tensor:
    """Run the filtered leaky relu of a StyleGAN3-R layer."""
    return filtered_lrelu(x, LINE, DISC, up=2, down=2, padding=(9, 8, 9, 8), clamp=256, impl=impl)


def halve(x: Tensor, impl: Impl) -> Tensor:
    """Run the discriminator's downsampling."""
    return upfirdn2d(x, FIR, down=2, padding=1, impl=impl)


def modulated(x: Tensor, impl: Impl) -> Tensor:
    """Run a modulated convolution."""
    rng = torch.Generator().manual_seed(1)
    weight = torch.randn(x.shape[1], x.shape[1], 3, 3, generator=rng)
    return modulated_conv2d(x, weight, torch.randn(x.shape[:2], generator=rng), padding=1, impl=impl)


CASES: list[tuple[str, Operation, tuple[int, int, int, int]]] = [
    ("filtered_lrelu, T", layer, (4, 128, 86, 86)),
    ("filtered_lrelu, T", layer, (1, 64, 534, 534)),
    ("filtered_lrelu, R", radial, (4, 128, 86, 86)),
    ("upfirdn2d, D", halve, (16, 64, 64, 64)),
    ("modulated_conv2d", modulated, (16, 64, 64, 64)),
]


def best(run: Callable[[], object], times: int) -> float:
    """Return the least of some runs in milliseconds, after one for warming up."""
    run()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return 1000 * min(found)


def measure(operation: Operation, shape: tuple[int, int, int, int]) -> tuple[float, float, float]:
    """Return milliseconds: the definition forward, the fast path forward, the fast path with its gradient."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain, fast = best(lambda: operation(x, "reference"), 1), best(lambda: operation(x, "plain"), 3)
    x.requires_grad_()
    return plain, fast, best(lambda: torch.autograd.grad(operation(x, "plain").sum(), x), 3)


def main() -> None:
    """Print the table."""
    print(f"# Operations on the CPU, {torch.get_num_threads()} threads, torch {torch.__version__}, milliseconds\n")
    print("| operation | input | definition | fast | ratio | fast, with gradient |")
    print("|---|---|---|---|---|---|")
    for name, operation, shape in CASES:
        plain, fast, both = measure(operation, shape)
        print(f"| {name} | {'x'.join(map(str, shape))} | {plain:.0f} | {fast:.0f} | {plain / fast:.1f} | {both:.0f} |")


if __name__ == "__main__":
    main()
