# SPDX-License-Identifier: Apache-2.0
"""From seeds to sounds. Everything that a seed stands for is drawn on the CPU from that seed alone.

A network's latent z [Z] comes first from the seed's generator, then (StyleGAN2, noise mode random) its noise; so a
seed is the same sound on every device and in every batch, up to the last bits of floating point sums.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from patches.generate.choices import Settings
from patches.generate.network import Network
from patches.generate.points import Point

Item = TypeVar("Item")


@dataclass(frozen=True)
class Batch:
    """What the points of one batch became: canvases [N,C,F,T], sounds [N,2,L] (unlimited), pictures uint8 [N,H,W,3].

    `network_seconds` went into the network, `decode_seconds` from its pictures to sounds.
    """

    points: tuple[Point, ...]
    canvases: np.ndarray
    sounds: np.ndarray
    pictures: np.ndarray
    network_seconds: float = 0.0
    decode_seconds: float = 0.0


def draw(seed: int, z_dim: int, noise_size: int) -> tuple[Tensor, Tensor]:
    """Draw a seed's latent [Z] and noise [noise_size], both N(0, 1)."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(z_dim, generator=rng), torch.randn(noise_size, generator=rng)


def batches(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """Cut items into tuples of at most `size`."""
    left = iter(items)
    while batch := tuple(islice(left, size)):
        yield batch


def synthesize(network: Network, points: Sequence[Point], settings: Settings) -> Batch:
    """Compute one batch of points. Call it inside `settled`, so that equal batches give equal bits."""
    with torch.inference_mode():
        began = time.perf_counter()
        y = model_space_at(network, points, settings)
        canvases = network.view.from_model(y).cpu().numpy()  # waits for the device
        made = time.perf_counter()
        sounds = network.view.sound(y, [point.chance for point in points]).float().cpu().numpy()
        decoded = time.perf_counter()
        return Batch(
            points=tuple(points),
            canvases=canvases,
            sounds=sounds,
            pictures=network.view.preview(y).cpu().numpy(),
            network_seconds=made - began,
            decode_seconds=decoded - made,
        )


def model_space(network: Network, seeds: tuple[int, ...], settings: Settings) -> Tensor:
    """Return the network's own outputs for seeds; see `model_space_at`."""
    return model_space_at(network, [Point(seed) for seed in seeds], settings)


def model_space_at(network: Network, points: Sequence[Point], settings: Settings) -> Tensor:
    """Return the network's own outputs for points in W.

    Shape:
        output [N, C, F, T] float32 on the network's device

    Raises:
        UserError: a point that names layers which the network doesn't have.
    """
    check_layers(network, (layer for point in points for layer in point.layers or ()))
    _aim(network, settings)
    return network.generator.synthesis(_styles(network, points, settings), noise=_noise(network, points, settings))


def _styles(network: Network, points: Sequence[Point], settings: Settings) -> Tensor:
    """Return the points' w [N, num_ws, W]; where no point mixes another seed in, those of the seeds untouched."""
    own = _mapped(network, [point.seed for point in points], settings)
    if all(point.other is None for point in points):
        return own
    other = _mapped(network, [point.seed if point.other is None else point.other for point in points], settings)
    weights = torch.tensor([point.layer_weights(network.generator.num_ws) for point in points], device=own.device)
    return torch.lerp(own, other, weights[..., None])  # exact at 0 and at 1


def _mapped(network: Network, seeds: Sequence[int], settings: Settings) -> Tensor:
    z = torch.stack([draw(seed, network.generator.spec.z_dim, 0)[0] for seed in seeds]).to(network.device)
    ws: Tensor = network.generator.mapping(z, _labels(network, settings, len(seeds)), psi=settings.psi)
    return ws


def _noise(network: Network, points: Sequence[Point], settings: Settings) -> Any:
    """Return what synthesis takes: a mode, or values [N, noise_size]."""
    generator = network.generator
    if settings.noise_mode != "random":
        return settings.noise_mode
    if not generator.noise_size:
        return "const"
    spec, size = generator.spec, generator.noise_size
    return torch.stack([_noise_at(point, spec.z_dim, size) for point in points]).to(network.device)


def _noise_at(point: Point, z_dim: int, size: int) -> Tensor:
    one, two = point.noise_weights()
    if two == 0 or point.other is None:
        return draw(point.seed, z_dim, size)[1]
    if one == 0:
        return draw(point.other, z_dim, size)[1]
    return one * draw(point.seed, z_dim, size)[1] + two * draw(point.other, z_dim, size)[1]


def check_layers(network: Network, layers: Iterable[int]) -> None:
    """Check that a network has these layers.

    Raises:
        UserError: it hasn't; how many there are.
    """
    count, highest = network.generator.num_ws, max(layers, default=0)
    if highest >= count:
        raise UserError(f"--style-layers: layer {highest}: {network.path.name} has {count} layers, 0 to {count - 1}")


def _labels(network: Network, settings: Settings, count: int) -> Tensor | None:
    size, chosen = network.conditions.size, settings.condition
    if size == 0:
        return None
    vector = np.empty(0, np.float32) if chosen is None else chosen.vector()
    if len(vector) != size:
        raise UserError(f"{network.path}: takes a condition of {size} numbers, not {len(vector)}")
    return torch.from_numpy(vector).to(network.device).repeat(count, 1)


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
