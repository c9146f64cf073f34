# SPDX-License-Identifier: Apache-2.0
"""Griffin-Lim: never worse with more iterations, faster with momentum, the magnitude kept, the same in any batch."""

from itertools import pairwise

import pytest
import torch

from spect.errors import SoundError
from spect.phase.chance import random_phase
from spect.phase.frames import Frames
from spect.phase.griffin_lim import griffin_lim, spectral_convergence_db

FRAMES = Frames(256, 64, 64, 4096, first=32)


def plucked(seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    time = torch.arange(4096) / 4096
    tones = sum(torch.sin(2 * torch.pi * f * time) for f in (90 + 10 * seed, 271, 600))
    return (tones + 0.3 * torch.randn(4096, generator=rng)) * torch.exp(-5 * time)


def convergence(magnitude: torch.Tensor, iterations: int, momentum: float) -> float:
    phase = random_phase([0], magnitude.shape)[0]
    spectrum = griffin_lim(FRAMES, magnitude, phase=phase, iterations=iterations, momentum=momentum)
    return float(spectral_convergence_db(FRAMES, magnitude, FRAMES.istft(spectrum)))


def test_plain_iterations_never_worsen() -> None:
    magnitude = FRAMES.stft(plucked()).abs()
    values = [convergence(magnitude, n, 0) for n in range(12)]
    assert all(after <= before + 1e-4 for before, after in pairwise(values))
    assert values[-1] < values[0] - 6


def test_momentum_gets_further_in_as_many_iterations() -> None:
    magnitude = FRAMES.stft(plucked()).abs()
    assert convergence(magnitude, 32, 0.99) < convergence(magnitude, 32, 0) - 2


def test_the_true_phase_stays() -> None:
    spectrum = FRAMES.stft(plucked())
    found = griffin_lim(FRAMES, spectrum.abs(), phase=spectrum.angle(), iterations=8)
    assert float((found - spectrum).abs().max()) < 1e-4 * float(spectrum.abs().max())


def test_the_magnitude_is_the_given_one() -> None:
    magnitude = FRAMES.stft(plucked()).abs()
    magnitude[:, 100:] = 0
    found = griffin_lim(FRAMES, magnitude, phase=random_phase([3], magnitude.shape)[0], iterations=3)
    torch.testing.assert_close(found.abs(), magnitude, rtol=1e-5, atol=1e-6)
    assert not found[:, 100:].abs().any()


def test_a_batch_is_its_items() -> None:
    magnitude = FRAMES.stft(torch.stack([plucked(seed) for seed in range(3)])).abs()
    phase = random_phase([5, 6, 7], magnitude.shape[1:])
    batch = griffin_lim(FRAMES, magnitude, phase=phase, iterations=8)
    for index in range(3):
        alone = griffin_lim(FRAMES, magnitude[index], phase=phase[index], iterations=8)
        torch.testing.assert_close(batch[index], alone, rtol=1e-4, atol=1e-4)


def test_chance_depends_on_the_seed_alone() -> None:
    several = random_phase([4, 9, 4], (64, 129))
    assert torch.equal(several[0], several[2])
    assert torch.equal(several[1], random_phase([9], (64, 129))[0])
    assert not torch.equal(several[0], several[1])
    assert float(several.abs().max()) <= torch.pi
    assert random_phase([], (64, 129)).shape == (0, 64, 129)


def test_silence_and_empty_batches_have_values() -> None:
    nothing = torch.zeros(64, 129)
    assert not griffin_lim(FRAMES, nothing, phase=nothing, iterations=2).abs().any()
    assert float(spectral_convergence_db(FRAMES, nothing, torch.zeros(4096))) == -torch.inf
    assert float(spectral_convergence_db(FRAMES, nothing, torch.ones(4096))) == torch.inf
    empty = torch.zeros(0, 64, 129)
    assert griffin_lim(FRAMES, empty, phase=empty, iterations=2).shape == (0, 64, 129)


def test_negative_amounts_are_refused() -> None:
    with pytest.raises(SoundError, match="0 or more, got -1"):
        griffin_lim(FRAMES, torch.ones(64, 129), phase=torch.ones(64, 129), iterations=-1)
