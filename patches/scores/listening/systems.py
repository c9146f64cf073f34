# SPDX-License-Identifier: Apache-2.0
"""The sounds of a listening test: those of each network, real ones, and real ones through the representation.

Levels stay as they are. Only where a sound is above full scale are all lowered by one factor, and only where lengths
differ are all cut to the shortest and faded out over the last 10 ms: neither level nor length then tells the system.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from patches.generate.choices import Settings
from patches.generate.network import Network, open_network
from patches.generate.synthesis import model_space, settled
from patches.scores.html import common_gain
from patches.scores.listening.choose import asked, real_items
from patches.scores.rows import Kind
from patches.views import View
from spect.archives.opening import AnyArchive

FADE_SECONDS = 0.01
REAL, THROUGH = "held-out real", "real through the representation"
TRAIN = "train "  # goes before these where nothing is held out


@dataclass(frozen=True)
class System:
    """One thing that is rated.

    Args:
        name: a snapshot's stem (with its run's folder where two share one), or an anchor's name.
        sounds: float32 [N, 2, L], L at `sample_rate` Hz.
        origins: where each sound comes from, as JSON.
        about: what else the key tells of the system, as JSON.
    """

    name: str
    kind: Kind
    sounds: Tensor
    sample_rate: int
    origins: tuple[Mapping[str, Any], ...]
    about: Mapping[str, Any] = field(default_factory=dict)


def network_systems(
    paths: Sequence[Path], archive: AnyArchive, count: int, seed: int, psi: float, device: torch.device
) -> tuple[list[System], View]:
    """Generate each network's sounds of the same seeds, `seed` and on; the view is the first network's.

    Raises:
        UserError: a file that is no network, labels that the archive lacks, a sound that is NaN or Inf.
    """
    systems, views = [], []
    for path, name in zip(paths, labels(paths), strict=True):
        network = open_network(path, device)
        wanted = asked(network, archive, count, np.random.default_rng(seed))
        seeds = range(seed, seed + count)
        sounds = [_sound(network, one, Settings(psi=psi, condition=c)) for one, c in zip(seeds, wanted, strict=True)]
        origins = tuple({"seed": s} | ({"asked": c.to_dict()} if c else {}) for s, c in zip(seeds, wanted, strict=True))
        about = {"file": str(path), "sha256": network.digest, "kimg": network.kimg, "psi": psi}
        view = network.view
        systems.append(System(name, "network", torch.cat(sounds), view.sample_rate, origins, about))
        views.append(view)
    return systems, views[0]


def real_systems(archive: AnyArchive, view: View, count: int, seed: int) -> list[System]:
    """Read real sounds, and the same ones as the view lets them through."""
    items, held_out = real_items(archive, count, np.random.default_rng(seed))
    real_name, through_name = (REAL, THROUGH) if held_out else (f"{TRAIN}real", TRAIN + THROUGH)
    stored = archive.representation
    canvases = torch.from_numpy(archive.canvases(items))
    origins = tuple({"item": int(item), "source": archive.item(int(item))["source"]} for item in items)
    with torch.inference_mode(), settled():
        real = stored.decode(canvases).float()
        through = view.sound(view.picture(stored, canvases), [0] * len(items)).float()
    about = {"data": str(archive.path), "digest": archive.digest}
    return [
        System(real_name, "anchor", real, stored.sample_rate, origins, about),
        System(through_name, "anchor", through, view.sample_rate, origins, {**about, "view": view.name}),
    ]


def labels(paths: Sequence[Path]) -> list[str]:
    """Name snapshots: by their stem, by run and stem where two share one, by path where even that is shared."""
    names = [path.stem for path in paths]
    for longer in (lambda path: f"{path.resolve().parent.name}/{path.stem}", str):
        often = Counter(names)
        names = [name if often[name] == 1 else longer(path) for name, path in zip(names, paths, strict=True)]
    return names


def alike(systems: Sequence[System]) -> tuple[list[System], float]:
    """Bring all to one length and below full scale; return them and the factor that did it (1: untouched).

    Raises:
        UserError: sample rates that differ.
    """
    rates = {system.sample_rate for system in systems}
    if len(rates) > 1:
        told = ", ".join(f"{system.name} {system.sample_rate} Hz" for system in systems)
        raise UserError(f"--networks, --data: sample rates differ ({told}); compare networks of one rate")
    lengths = {system.sounds.shape[-1] for system in systems}
    cut = [replace(s, sounds=_faded(s.sounds, min(lengths), s.sample_rate)) for s in systems]
    systems = cut if len(lengths) > 1 else systems
    gain = common_gain(sound for system in systems for sound in system.sounds)
    return [replace(system, sounds=system.sounds * gain) for system in systems], gain


def _sound(network: Network, seed: int, settings: Settings) -> Tensor:
    """Shape: [1, 2, L]."""
    with torch.inference_mode(), settled():
        sound = network.view.sound(model_space(network, (seed,), settings), [seed]).float().cpu()
    if not torch.isfinite(sound).all():
        raise UserError(f"{network.path}: seed {seed} is NaN or Inf; give a snapshot from before it diverged")
    return sound


def _faded(sounds: Tensor, samples: int, sample_rate: int) -> Tensor:
    fade = min(samples, round(FADE_SECONDS * sample_rate))
    shape = torch.ones(samples)
    shape[samples - fade :] = torch.linspace(1, 0, fade)
    return sounds[..., :samples] * shape
