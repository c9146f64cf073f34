# SPDX-License-Identifier: Apache-2.0
"""The speech embedding: sounds don't depend on their neighbours, and equal digits lie nearer than others."""

import sys
from pathlib import Path

import pytest
import torch

from patches.errors import UserError
from patches.scores.encoders import Encoder, find_encoders
from patches.scores.encoders.speech import SAMPLES, STEP_SAMPLES, whole
from spect.audio import read

DIGITS = Path(__file__).parents[5] / "shared" / "audio" / "digits"


@pytest.fixture(scope="module")
def speech() -> Encoder:
    try:
        return find_encoders(["speech"])[0]
    except UserError as error:
        pytest.skip(str(error))


def test_sounds_are_filled_up_to_whole_windows() -> None:
    for length, wanted in [(1, SAMPLES), (SAMPLES, SAMPLES), (SAMPLES + 1, SAMPLES + STEP_SAMPLES)]:
        filled = whole(torch.ones(2, length))
        assert filled.shape == (2, wanted)
        assert filled.sum() == 2 * length


def test_an_embedding_is_96_numbers_whatever_its_neighbours(speech: Encoder) -> None:
    sounds = torch.randn(3, 1, 16000, generator=torch.Generator().manual_seed(0))
    sounds *= torch.tensor([1, 1e-3, 1e-5]).reshape(3, 1, 1)
    found = speech(sounds, 16000)
    assert found.shape == (3, 96)
    for at in range(3):
        torch.testing.assert_close(found[at : at + 1], speech(sounds[at : at + 1], 16000), atol=1e-3, rtol=1e-3)
    assert not any(name.startswith("livekit") for name in sys.modules)


def test_the_shortest_sound_and_silence_are_encoded(speech: Encoder) -> None:
    assert torch.isfinite(speech(torch.zeros(1, 2, 1), 44100)).all()


@pytest.mark.skipif(not DIGITS.is_dir(), reason="the real sounds of shared/audio aren't there")
def test_a_digit_lies_nearer_to_its_like_than_to_others(speech: Encoder) -> None:
    """Of 50 recordings of one speaker, the nearest other is of the same digit in most cases; 1 in 10 by chance."""
    files = [DIGITS / f"{digit}" / f"{digit}_jackson_{take:02d}.flac" for digit in range(10) for take in range(5)]
    found = []
    for file in files:
        sound, rate = read(file)
        found.append(speech(torch.from_numpy(sound)[None], rate))
    vectors = torch.cat(found)
    distances = torch.cdist(vectors, vectors).fill_diagonal_(torch.inf)
    right = (distances.argmin(1) // 5 == torch.arange(50) // 5).float().mean()
    print(f"nearest of the same digit: {right:.2f}, allowed 0.6")
    assert right > 0.6
