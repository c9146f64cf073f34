# SPDX-License-Identifier: Apache-2.0
"""What the views' tests share: sounds, an archive of them in memory, and what each augmentation does to a sound."""

import hashlib
import math
from pathlib import Path
from types import SimpleNamespace

import torch

from patches.augment import SoundAugment
from spect.cmyk import Cmyk
from tests.stylegan3.training.tape import from_the_cpu

STORED = Cmyk(sample_rate=8000, rows=32, frames=32)  # 2 048 samples


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def archive(sounds: torch.Tensor, folder: Path) -> SimpleNamespace:
    """Hold sounds [N, 2, L] as an archive does."""
    canvases = STORED.encode(sounds).numpy()
    return SimpleNamespace(
        representation=STORED,
        train=range(len(sounds)),
        canvases=lambda indices: canvases[indices],
        digest=hashlib.sha256(canvases.tobytes()).hexdigest(),
        path=folder / "sounds.zip",
    )


def check_unread(augment: SoundAugment, pictures: torch.Tensor) -> None:
    """See that an augmentation does the same with draws that it may not look at, and takes nothing from the CPU."""
    n, rng = 48, torch.Generator().manual_seed(4)
    pictures = pictures.detach()
    made = 0.3 * torch.randn(n // 2, *pictures.shape[1:], generator=rng)  # no sound's, as a generator's may be
    pictures = torch.cat([made, pictures.repeat_interleave(n, 0)[: n // 2]]).requires_grad_()
    draws = augment.draw(n, 0.2, rng)
    read, unread = (augment(pictures, draws, readable=readable) for readable in (True, False))
    torch.testing.assert_close(unread, read, atol=1e-5, rtol=1e-5)
    same = (read == pictures).flatten(1).all(1)
    assert 0 < same.sum() < n
    assert unread[same].equal(pictures[same])
    (gradient,) = torch.autograd.grad(unread.square().sum(), pictures)
    assert torch.isfinite(gradient).all()
    still = {transform.parameter: torch.full((n,), transform.identity) for transform in augment.transforms}
    for transform in augment.transforms:  # each leaves alone what is drawn for others alone
        one = still | {transform.parameter: draws[transform.parameter]}
        alone = SoundAugment(augment.view, [transform.name])(pictures, one)
        for readable in (True, False):
            torch.testing.assert_close(augment(pictures, one, readable=readable), alone, atol=1e-6, rtol=1e-6)
    there = torch.empty_like(pictures, device="meta")
    own = {name: values.to("meta") for name, values in draws.items()}
    augment(there, own, readable=False)  # tables come to the device once
    with from_the_cpu() as found:
        augment(there, own, readable=False)
    assert found == []


def augmented(sound: torch.Tensor, name: str, value: float, column: int) -> torch.Tensor:
    """Do to a sound [2, L] what an augmentation is called.

    Args:
        column: samples a column, for shift.
    """
    mid, side = sound.mean(0), (sound[0] - sound[1]) / 2
    if name == "shift":
        move, moved = round(value) * column, torch.zeros_like(sound)
        kept = max(sound.shape[1] - abs(move), 0)
        moved[:, max(move, 0) : max(move, 0) + kept] = sound[:, max(-move, 0) : max(-move, 0) + kept]
        return moved
    if name in ("polarity", "gain"):
        return sound * (value if name == "polarity" else 10 ** (value / 20))
    if name in ("width", "swap"):
        return torch.stack([mid + value * side, mid - value * side])
    if name == "pan":
        cos, sin = math.cos(math.radians(value)), math.sin(math.radians(value))
        mid, side = cos * mid - sin * side, sin * mid + cos * side
        return torch.stack([mid + side, mid - side])
    spectrum = torch.fft.fft(sound.double())
    turn = value * torch.sign(torch.fft.fftfreq(sound.shape[1], dtype=torch.float64))
    return torch.fft.ifft(spectrum * torch.polar(torch.ones_like(turn), turn)).real.to(sound.dtype)


def agreement_db(wanted: torch.Tensor, heard: torch.Tensor) -> float:
    """Signal over difference, 200 at most."""
    error = (wanted.double() - heard.double()).square().sum()
    return float(10 * torch.log10(wanted.double().square().sum() / error.clamp_min(1e-20)).clamp(max=200))
