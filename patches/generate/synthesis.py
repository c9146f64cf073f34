# SPDX-License-Identifier: Apache-2.0
"""From seeds to sounds. Everything that a seed stands for is drawn on the CPU from that seed alone.

A network's latent z [Z] comes first from the seed's generator, then (StyleGAN2, noise mode random) its noise; so a
seed is the same sound on every device and in every batch, up to the last bits of floating point sums.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from patches.generate.choices import Settings
from patches.generate.network import Network


@dataclass(frozen=True)
class Batch:
    """What the seeds of one batch became: canvases [N,C,F,T], sounds [N,2,L] (unlimited), pictures uint8 [N,H,W,3]."""

    seeds: tuple[int, ...]
    canvases: np.ndarray
    sounds: np.ndarray
    pictures: np.ndarray


def draw(seed: int, z_dim: int, noise_size: int) -> tuple[Tensor, Tensor]:
    """Draw a seed's latent [Z] and noise [noise_size], both N(0, 1)."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(z_dim, generator=rng), torch.randn(noise_size, generator=rng)


def batches(seeds: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    """Cut seeds into tuples of at most `size`."""
    for start in range(0, len(seeds), size):
        yield tuple(seeds[start : start + size])


def synthesize(network: Network, seeds: tuple[int, ...], settings: Settings) -> Batch:
    """Compute one batch of seeds. Call it inside `settled`, so that equal batches give equal bits."""
    with torch.inference_mode():
        y = model_space(network, seeds, settings)
        return Batch(
            seeds=seeds,
            canvases=network.view.from_model(y).cpu().numpy(),
            sounds=network.view.sound(y, seeds).float().cpu().numpy(),
            pictures=network.view.preview(y).cpu().numpy(),
        )


def model_space(network: Network, seeds: tuple[int, ...], settings: Settings) -> Tensor:
    """Return the network's own outputs for seeds.

    Shape:
        output [N, C, F, T] float32 on the network's device
    """
    generator = network.generator
    drawn = [draw(seed, generator.spec.z_dim, generator.noise_size) for seed in seeds]
    z = torch.stack([latent for latent, _ in drawn]).to(network.device)
    noise: Any = settings.noise_mode
    if noise == "random":
        noise = torch.stack([values for _, values in drawn]).to(network.device) if generator.noise_size else "const"
    _aim(network, settings)
    ws = generator.mapping(z, _labels(network, settings, len(seeds)), psi=settings.psi)
    return generator.synthesis(ws, noise=noise)


def _labels(network: Network, settings: Settings, count: int) -> Tensor | None:
    if network.c_dim == 0:
        return None
    if settings.class_index is None or not 0 <= settings.class_index < network.c_dim:
        raise UserError(f"{network.path}: class {settings.class_index} is none of its {network.c_dim}")
    labels = torch.zeros(count, network.c_dim, device=network.device)
    labels[:, settings.class_index] = 1
    return labels


def _aim(network: Network, settings: Settings) -> None:
    """Set StyleGAN3's input transform, which is a buffer of the network."""
    transform = getattr(getattr(network.generator.synthesis, "input", None), "transform", None)
    if isinstance(transform, Tensor):
        transform.copy_(input_transform(settings.shift, settings.rotate))
    elif settings.moves:
        raise UserError(f"--translate, --rotate: {network.path.name} is a {network.cfg}; only StyleGAN3's input moves")


def input_transform(shift: tuple[float, float], degrees: float) -> Tensor:
    """Return the matrix [3, 3] that looks up the input plane so that the picture is turned, then shifted.

    A picture point p shows the plane at R(-angle) (p - shift), angles anticlockwise (Karras et al. 2021, appendix F).
    """
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = shift
    return torch.tensor([[cos, -sin, -cos * x + sin * y], [sin, cos, -sin * x - cos * y], [0.0, 0.0, 1.0]])


@contextmanager
def settled(threads: int | None = None) -> Iterator[None]:
    """Fix what the last bits depend on: float32 without TF32, one algorithm, and the CPU's number of threads."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(before)
