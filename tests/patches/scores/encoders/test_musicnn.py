# SPDX-License-Identifier: Apache-2.0
"""musicnn: its spectrogram is librosa's, its weights fit its own statistics, and its tags tell real sounds apart."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from patches.errors import UserError
from patches.scores.encoders import find_encoders, musicnn
from patches.scores.encoders.musicnn import FRAMES, RATE, SAMPLES, TAGS, Vgg, embed, load_vgg, log_mel, tags, windows
from spect.audio import read

AUDIO = Path(__file__).parents[5] / "shared" / "audio"
audio = pytest.mark.skipif(not AUDIO.is_dir(), reason="the real sounds of shared/audio aren't there")


@pytest.fixture(scope="module")
def network() -> Vgg:
    try:
        return load_vgg(musicnn.weights())
    except UserError as error:
        pytest.skip(str(error))


def noise(length: int, count: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(count, length, generator=torch.Generator().manual_seed(0))


def test_the_filters_and_the_spectrogram_are_those_of_librosa() -> None:
    librosa = pytest.importorskip("librosa", reason="librosa isn't installed")
    wanted = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=96)
    np.testing.assert_allclose(musicnn.mel_weights().numpy(), wanted, atol=1e-7)
    sound = noise(SAMPLES + 5000)
    power = librosa.feature.melspectrogram(
        y=sound[0].numpy(), sr=RATE, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    )
    found = log_mel(sound)[0].T
    np.testing.assert_allclose(found[:, : power.shape[1]].numpy(), np.log10(10000 * power + 1), atol=2e-4)


def test_a_short_sound_is_repeated_to_one_window() -> None:
    sound = noise(5000)
    mel = log_mel(sound)
    assert mel.shape == (1, FRAMES, 96)
    torch.testing.assert_close(mel, log_mel(sound.repeat(1, 10)[:, :SAMPLES]))
    assert log_mel(noise(1)).shape == (1, FRAMES, 96)


@pytest.mark.parametrize(("frames", "starts"), [(187, [0]), (188, [0, 1]), (374, [0, 187]), (400, [0, 106, 213])])
def test_windows_cover_the_sound_from_end_to_end(frames: int, starts: list[int]) -> None:
    mel = torch.arange(frames).float()[None, :, None].expand(1, frames, 96)
    assert windows(mel)[0, :, 0, 0].tolist() == starts
    assert windows(mel)[0, -1, -1, 0] == frames - 1


def test_an_embedding_is_256_numbers_whatever_the_batch(network: Vgg) -> None:
    encoder = find_encoders(["musicnn"])[0]
    sounds = noise(3 * 24000, 3).reshape(3, 1, -1)
    found = encoder(sounds, 24000)
    assert found.shape == (3, 256)
    torch.testing.assert_close(found[1:2], encoder(sounds[1:2].repeat(1, 2, 1), 24000), atol=1e-4, rtol=1e-4)
    assert "musicnn" not in sys.modules


@audio
def test_the_moving_statistics_are_those_of_real_music(network: Vgg) -> None:
    """Channel means of what enters each norm follow the stored ones: convolutions, pooling and order are right."""
    seen: dict[int, list[torch.Tensor]] = {}
    hooks = [
        norm.register_forward_hook(
            lambda m, given, out, at=at: seen.setdefault(at, []).append(given[0].mean((0, 2, 3)))
        )
        for at, norm in enumerate(network.norms)
    ]
    names = ["loops/loop_amen", "loops/loop_tabla", "misc/ambi_choir", "misc/guit_em9", "notes/piano/piano_064"]
    for name in names:
        sound, rate = read(AUDIO / f"{name}.flac")
        embed(network, torch.from_numpy(sound)[None, :, : 4 * rate], rate)
    for hook in hooks:
        hook.remove()
    for at in range(1, 6):
        mean = torch.stack(seen[at]).mean(0)
        together = torch.corrcoef(torch.stack([mean, network.norms[at].running_mean]))[0, 1]
        print(f"norm {at}: correlation {together:.3f}, allowed 0.7")
        assert together > 0.7


@audio
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("loops/loop_amen", {"drums", "beat", "techno"}),
        ("loops/loop_garzul", {"techno", "electronic"}),
        ("loops/loop_drone_g_97", {"ambient"}),
        ("misc/ambi_choir", {"choir", "choral"}),
        ("notes/piano/piano_064", {"piano", "classical"}),
        ("notes/guitar/guitar_056", {"guitar"}),
        ("notes/strings/strings_072", {"strings", "violin"}),
    ],
)
def test_real_sounds_get_the_tags_of_what_they_are(network: Vgg, name: str, wanted: set[str]) -> None:
    sound, rate = read(AUDIO / f"{name}.flac")
    told = tags(network, torch.from_numpy(sound)[None], rate)[0]
    first = {TAGS[at] for at in told.topk(4).indices}
    print(name, sorted(first))
    assert wanted <= first
