# SPDX-License-Identifier: Apache-2.0
"""Peak memory of training iterations against the estimate from which train.py chooses --batch-gpu.

    python bench/memory.py            small and medium networks, minutes on one core
    python bench/memory.py --full     also the paper's: stylegan3-t at 512x512, full width

Each row is a process of its own on one thread: two iterations in which every phase has its turn (R1 and path length
included), the second with the optimisers' moments in place. Measured: the peak of the resident size over what the
process had before the networks were built.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GB = 2**30
CASES = (  # cfg, rows, columns, cbase, cmax, batch, batch-gpu
    ("stylegan2", 64, 64, 2048, 64, 4, 4),
    ("stylegan2", 128, 128, 2048, 64, 4, 4),
    ("stylegan2", 128, 128, 8192, 256, 4, 4),
    ("stylegan2", 128, 128, 8192, 256, 8, 4),
    ("stylegan2", 128, 128, 8192, 256, 8, 8),
    ("stylegan3-t", 64, 64, 2048, 64, 4, 4),
    ("stylegan3-t", 64, 64, 8192, 128, 4, 4),
    ("stylegan3-t", 128, 128, 4096, 64, 4, 4),
    ("stylegan3-t", 128, 128, 8192, 128, 4, 4),
    ("stylegan3-r", 64, 64, 2048, 64, 4, 4),
)
FULL = (("stylegan3-t", 512, 512, 32768, 512, 4, 4),)


def measure(cfg: str, rows: int, columns: int, cbase: int, cmax: int, batch: int, batch_gpu: int) -> dict[str, float]:
    """Train for two iterations in this process; return the estimate and the measured peak in GB, and seconds."""
    import torch

    from patches.runs.memory import estimate
    from stylegan3.configs import CONFIGURATIONS, discriminator_spec, generator_spec
    from stylegan3.training.setup import Hyperparameters, Setup
    from stylegan3.training.trainer import Trainer

    class Noise:
        shape = (4, rows, columns)
        c_dim = 0
        digest = ""

        def __len__(self) -> int:
            return batch

        def pictures(self, indices: object) -> torch.Tensor:
            return torch.randn(batch, *self.shape)

        def labels(self, indices: object) -> torch.Tensor:
            return torch.zeros(batch, 0)

        def to_model(self, pictures: torch.Tensor) -> torch.Tensor:
            return pictures

    torch.set_num_threads(1)
    numbers, data = CONFIGURATIONS[cfg], Noise()
    hyper = Hyperparameters(
        batch=batch, batch_gpu=batch_gpu, gamma=1, g_lr=numbers.g_lr, style_mixing=numbers.style_mixing,
        path_length_weight=numbers.path_length_weight,
    )  # fmt: skip
    generator = generator_spec(cfg, data.shape, c_dim=0, cbase=cbase, cmax=cmax)
    discriminator = discriminator_spec(data.shape, c_dim=0, cbase=cbase, cmax=cmax, group=4)
    setup = Setup(data, generator, discriminator, hyper, sheet=lambda folder, name, pictures: {})
    began = time.perf_counter()
    expected = estimate(setup).at(batch_gpu)
    estimating = time.perf_counter() - began
    before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    trainer = Trainer(setup)
    began = time.perf_counter()
    for images in (0, 16 * batch):
        trainer.images = images
        trainer.step(data.pictures(None), data.labels(None))
    seconds = (time.perf_counter() - began) / 2
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return {"estimate": expected / GB, "peak": peak / GB, "seconds": seconds, "estimating": estimating}


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="also the paper's network at 512x512")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if given.one:
        cfg, *sizes = given.one.split()
        print(json.dumps(measure(cfg, *map(int, sizes))))
        return
    print("| cfg | FxT | cbase | cmax | batch | batch-gpu | peak GB | estimate GB | estimate/peak | s an iteration |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for cfg, rows, columns, *rest in (*CASES, *(FULL if given.full else ())):
        one = " ".join(map(str, (cfg, rows, columns, *rest)))
        done = subprocess.run(
            [sys.executable, __file__, "--one", one], check=True, capture_output=True, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        row = json.loads(done.stdout)
        sizes = " | ".join(map(str, (cfg, f"{rows}x{columns}", *rest)))
        print(
            f"| {sizes} | {row['peak']:.3f} | {row['estimate']:.3f} | {row['estimate'] / row['peak']:.2f} "
            f"| {row['seconds']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
