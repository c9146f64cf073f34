# SPDX-License-Identifier: Apache-2.0
"""PGHI: the true phase of a tone, a chirp and an impulse, better than chance on sounds, the same in any batch."""

import pytest
import torch

from spect.phase.chance import random_phase
from spect.phase.frames import Frames
from spect.phase.griffin_lim import griffin_lim, spectral_convergence_db
from spect.phase.pghi import pghi

FRAMES = Frames(256, 32, 128, 4096, first=16)
TIME = torch.arange(4096).double()


def impulse() -> torch.Tensor:
    signal = torch.zeros(4096).double()
    signal[2001] = 1
    return signal


SIGNALS = {
    "tone": torch.cos(2 * torch.pi * 0.11 * TIME + 0.4),
    "chirp": torch.cos(2 * torch.pi * (0.05 * TIME + 0.000045 * TIME**2)),
    "impulse": impulse(),
}


def noise(seed: int) -> torch.Tensor:
    return torch.randn(4096, generator=torch.Generator().manual_seed(seed)) * torch.exp(-TIME.float() / 800)


def phase_error(spectrum: torch.Tensor, phase: torch.Tensor, above_db: float) -> float:
    """Mean |error| in radians of the loud bins, after turning all by the one angle that is free."""
    magnitude = spectrum.abs()
    loud = magnitude > magnitude.max() * 10 ** (-above_db / 20)
    turned = (torch.polar(magnitude, phase) * spectrum.conj())[loud]
    return float((turned * turned.sum().conj()).angle().abs().mean())


# Windows' tails lean on neighbours: away from the sound's ends, where a cut tone is no tone.
@pytest.mark.parametrize(
    ("name", "above_db", "radians"), [("tone", 20, 0.15), ("chirp", 20, 0.2), ("impulse", 40, 0.15)]
)
def test_the_true_phase_is_found(name: str, above_db: float, radians: float) -> None:
    spectrum = FRAMES.stft(SIGNALS[name])
    found = pghi(FRAMES, spectrum.abs(), chance=torch.zeros(spectrum.shape))
    inside = slice(8, -8)
    assert phase_error(spectrum[inside], found[inside], above_db) < radians


def test_noise_converges_far_better_than_chance_and_helps_griffin_lim() -> None:
    magnitude = FRAMES.stft(noise(0)).abs()
    chance = random_phase([0], magnitude.shape)[0]
    found = pghi(FRAMES, magnitude, chance=chance)

    def score(phase: torch.Tensor, iterations: int) -> float:
        spectrum = griffin_lim(FRAMES, magnitude, phase=phase, iterations=iterations)
        return float(spectral_convergence_db(FRAMES, magnitude, FRAMES.istft(spectrum)))

    assert score(found, 0) < score(chance, 0) - 10
    assert score(found, 16) < score(chance, 16) - 3


def test_a_batch_is_its_items_bit_for_bit() -> None:
    magnitude = FRAMES.stft(torch.stack([noise(seed) for seed in range(6)])).abs().reshape(2, 3, 128, 129)
    chance = random_phase(range(6), (128, 129)).reshape(2, 3, 128, 129)
    batch = pghi(FRAMES, magnitude, chance=chance)
    for place in ((0, 0), (1, 1), (1, 2)):
        assert torch.equal(batch[place], pghi(FRAMES, magnitude[place], chance=chance[place]))


def test_level_passes_through() -> None:
    magnitude = FRAMES.stft(noise(1)).abs()
    zero = torch.zeros_like(magnitude)
    found = torch.polar(torch.ones_like(magnitude), pghi(FRAMES, magnitude, chance=zero))
    louder = torch.polar(torch.ones_like(magnitude), pghi(FRAMES, 1024 * magnitude, chance=zero))
    torch.testing.assert_close(louder, found)


def test_low_sounds_are_turned_so_that_dc_is_real() -> None:
    slow = torch.sin(2 * torch.pi * 0.002 * TIME) * torch.exp(-TIME / 900)  # half a bin: mirrors meet at DC
    magnitude = FRAMES.stft(slow).abs()
    scores = []
    for angle in (0.0, 0.7, 1.4):
        found = pghi(FRAMES, magnitude, chance=torch.full_like(magnitude, angle))
        at_dc = torch.polar(magnitude, found)[:, 0]
        assert float(at_dc.real.square().sum()) > 20 * float(at_dc.imag.square().sum())
        scores.append(float(spectral_convergence_db(FRAMES, magnitude, FRAMES.istft(torch.polar(magnitude, found)))))
    assert max(scores) - min(scores) < 0.1  # whatever chance said


def test_silent_bins_take_the_phase_of_chance() -> None:
    magnitude = torch.zeros(128, 129)
    magnitude[60:70, 40:50] = 1
    chance = random_phase([2], (128, 129))[0]
    found = pghi(FRAMES, magnitude, chance=chance)
    expected = torch.polar(torch.ones(128, 129), chance + torch.pi * torch.arange(129))
    got = torch.polar(torch.ones(128, 129), found)
    silent = magnitude == 0
    torch.testing.assert_close(got[silent], expected[silent], rtol=0, atol=1e-4)
    assert torch.isfinite(pghi(FRAMES, torch.zeros(128, 129), chance=chance)).all()


def test_empty_batches_and_single_frames_pass() -> None:
    assert pghi(FRAMES, torch.zeros(0, 2, 128, 129), chance=torch.zeros(0, 2, 128, 129)).shape == (0, 2, 128, 129)
    single = Frames(16, 4, 1, 16, first=8)
    assert torch.isfinite(pghi(single, torch.ones(1, 9), chance=torch.zeros(1, 9))).all()
