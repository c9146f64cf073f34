# SPDX-License-Identifier: Apache-2.0
"""What training sounds go through: moved, mixed and masked within bounds, by the generator alone."""

import torch

from patches.scores.classifier_augment import MASKED, NOISE_DB, SHIFT, disturbed, masked, mixed


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_sound_moves_by_a_sixteenth_at_most_and_noise_stays_below_it() -> None:
    clicks = torch.zeros(200, 1600)
    clicks[:, 800] = 1
    out = disturbed(clicks, generator())
    at, peak = out.abs().argmax(1) - 800, out.gather(1, out.abs().argmax(1, keepdim=True))
    assert at.min() >= -1600 * SHIFT
    assert at.max() <= 1600 * SHIFT
    assert at.unique().numel() > 50
    assert {float(sign) for sign in peak.sign()} == {-1.0, 1.0}
    out[torch.arange(200), at + 800] = 0
    loudest = (out.square().mean(1) / clicks.square().mean(1)).max()
    assert loudest < 10 ** (-(NOISE_DB[0] - 1) / 10)
    assert loudest > 10 ** (-(NOISE_DB[0] + 5) / 10)


def test_a_mixed_sound_is_mostly_itself_and_so_is_its_target() -> None:
    sounds, targets = torch.eye(64), torch.eye(64)
    out, told = mixed(sounds, targets, generator())
    assert torch.equal(out, told)
    torch.testing.assert_close(told.sum(1), torch.ones(64))
    assert (told.diagonal() >= 0.5).all()
    assert ((told.diagonal() > 0.5) & (told.diagonal() < 0.999)).any()


def test_masks_hide_an_eighth_at_most_behind_the_mean() -> None:
    pictures = torch.rand(100, 1, 48, 64, generator=generator())
    hidden = (masked(pictures, generator()) != pictures)[:, 0]
    bands, frames = hidden.all(2).sum(1), hidden.all(1).sum(1)
    assert bands.max() <= 48 * MASKED
    assert frames.max() <= 64 * MASKED
    assert bands.max() > 2
    assert frames.max() > 2
    changed = masked(pictures, generator())[hidden[:, None]]
    assert changed.unique().numel() <= 100


def test_equal_generators_disturb_equally() -> None:
    sounds = torch.randn(4, 500, generator=generator())
    assert torch.equal(disturbed(sounds, generator(1)), disturbed(sounds, generator(1)))
    assert not torch.equal(disturbed(sounds, generator(1)), disturbed(sounds, generator(2)))
