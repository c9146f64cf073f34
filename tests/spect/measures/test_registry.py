# SPDX-License-Identifier: Apache-2.0
"""Feature sets by name: versions pinned by numbers, batches that change nothing."""

import pytest
import torch

import spect.measures.registry as registry
from spect.errors import SoundError
from spect.measures.registry import FEATURES, features_in_batches, in_batches

# name: version, numbers a sound, their sum and norm for `chirps`. If these change, the version must.
GOLDEN = {
    "log-mel": (1, 528, -3.35611, 3.898775),
    "modulation": (1, 36, 0.641426, 0.212488),
    "stereo": (1, 28, 0.157240, 1.496310),
    "waveform": (1, 273, -19.541395, 1.950990),
}


def chirps() -> torch.Tensor:
    t = torch.arange(8000, dtype=torch.float64) / 8000
    return torch.stack([torch.sin(2000 * t) * torch.exp(-5 * t) * 0.5, torch.cos(5000 * t * t) * 0.3])[None].float()


def noise(count: int) -> torch.Tensor:
    return 0.1 * torch.randn(count, 2, 3000, generator=torch.Generator().manual_seed(0))


def test_versions_and_numbers_change_together() -> None:
    measured = {}
    for name, one in FEATURES.items():
        out = one.function(chirps(), 8000)[0].double()
        measured[name] = (one.version, len(out), float(out.sum()), float(out.norm()))
    assert measured.keys() == GOLDEN.keys()
    for name, golden in GOLDEN.items():
        assert measured[name] == pytest.approx(golden, abs=2e-3), name


@pytest.mark.parametrize("name", FEATURES)
def test_batches_are_the_whole_in_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sounds = noise(7)
    whole = FEATURES[name].function(sounds, 22050)
    monkeypatch.setattr(registry, "BATCH_SAMPLES", 3 * 6000)
    assert [len(batch) for batch in in_batches(sounds)] == [3, 3, 1]
    torch.testing.assert_close(features_in_batches(FEATURES[name], sounds, 22050), whole, rtol=0, atol=1e-5)
    lazily = features_in_batches(FEATURES[name], (sound for sound in sounds), 22050, device="cpu")
    torch.testing.assert_close(lazily, whole, rtol=0, atol=1e-5)


def test_no_more_than_a_batch_is_ever_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BATCH_SAMPLES", 2 * 6000)
    given = 0

    def counted():  # type: ignore[no-untyped-def]
        nonlocal given
        for sound in noise(9):
            given += 1
            yield sound

    for done, _ in enumerate(in_batches(counted())):
        assert given <= 2 * (done + 1)


def test_a_sound_longer_than_a_batch_is_a_batch_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BATCH_SAMPLES", 10)
    assert [len(batch) for batch in in_batches(noise(2))] == [1, 1]


def test_no_sounds_and_unlike_sounds_are_refused() -> None:
    with pytest.raises(SoundError, match="no sounds"):
        features_in_batches(FEATURES["log-mel"], [], 44100)
    with pytest.raises(SoundError, match=r"\[2, 3000\] and \[1, 3000\]"):
        features_in_batches(FEATURES["log-mel"], [*noise(2), noise(1)[0, :1]], 44100)
