# SPDX-License-Identifier: Apache-2.0
"""Tiny random networks saved as snapshots."""

from pathlib import Path

import torch

from patches.runs import tensorfile
from patches.scaling import Compand
from patches.views import View
from spect.cmyk import Cmyk
from stylegan3.networks import GeneratorSpec, build_generator

ROWS, FRAMES, RATE = 16, 32, 8000


def header_of(spec: GeneratorSpec, scale: float = 1.0, **more) -> dict:
    view = View(Cmyk(RATE, ROWS, FRAMES), Compand((scale,) * ROWS, dc=scale))
    header = {
        "kind": "network",
        "version": 1,
        "generator": spec.to_dict(),
        "view": view.to_dict(),
        "classes": [],
        "cfg": spec.kind,
        "images": 10_000,
        "data": "tests",
        "patches": [],
    }
    return {**header, **more}


def spec_of(kind: str = "stylegan2", c_dim: int = 0) -> GeneratorSpec:
    return GeneratorSpec(
        kind=kind,
        shape=(4, ROWS, FRAMES),
        z_dim=16,
        c_dim=c_dim,
        w_dim=16,
        mapping_layers=2,
        channel_base=256,
        channel_max=8,
    )


def save_snapshot(
    path: Path,
    kind: str = "stylegan2",
    classes: tuple[str, ...] = (),
    scale: float = 0.3,
    seed: int = 7,
    broken: bool = False,
    **more,
) -> Path:
    """Save a random network; noise strengths are turned up, so that noise can be heard. A broken one holds NaN."""
    spec = spec_of(kind, len(classes))
    generator = build_generator(spec, torch.Generator().manual_seed(seed))
    tensors = generator.state_dict()
    for name in tensors:
        if name.endswith((".strength", "noise_strength")):
            tensors[name] = torch.full_like(tensors[name], torch.nan if broken else 0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {f"G_ema.{name}": tensor for name, tensor in tensors.items()}
    tensorfile.save(path, named, header_of(spec, scale, **{"classes": list(classes), **more}))
    return path
