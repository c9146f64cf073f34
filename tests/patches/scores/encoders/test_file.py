# SPDX-License-Identifier: Apache-2.0
"""Encoders of the user's own: what they are fed, what they give, and that no pickle is opened."""

import importlib.util
import pickle
from pathlib import Path

import pytest
import torch

from patches.errors import UserError
from patches.scores.encoders import find_encoders
from patches.scores.encoders.file import from_file, split_rate
from tests.patches.scores.encoders.graphs import Loudness, frames_onnx, torchscript

onnx = pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime isn't installed")


def noise(count: int = 3, channels: int = 2, length: int = 4000) -> torch.Tensor:
    return 0.2 * torch.randn(count, channels, length, generator=torch.Generator().manual_seed(1))


def loudness(folder: Path, name: str = "loudness.pt") -> Path:
    return torchscript(folder / name, Loudness(), torch.zeros(2, 100))


def test_torchscript_gets_the_mid_at_its_own_rate(tmp_path: Path) -> None:
    sounds = noise()
    found = from_file(f"{loudness(tmp_path)}:8000")(sounds, 8000)
    torch.testing.assert_close(found, Loudness()(sounds.mean(1)))


def test_sounds_of_another_rate_are_resampled(tmp_path: Path) -> None:
    t = torch.arange(8000) / 8000
    tone = torch.sin(2 * torch.pi * 440 * t)[None, None]
    counting = torchscript(tmp_path / "counting.pt", Counting(), torch.zeros(1, 50))
    assert from_file(str(counting))(tone, 8000)[0, 0] == 16000
    assert abs(from_file(str(loudness(tmp_path)))(tone, 8000)[0, 0] - 0.5**0.5) < 1e-3


class Counting(torch.nn.Module):
    """Sounds [N, L] -> how many samples [N, 1]."""

    def forward(self, sounds: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(sounds).sum(1, keepdim=True)


@onnx
def test_onnx_frames_become_their_mean(tmp_path: Path) -> None:
    sounds = noise(channels=1)
    found = from_file(str(frames_onnx(tmp_path / "frames.onnx")))(sounds, 16000)
    torch.testing.assert_close(found, sounds.reshape(3, 1000, 4).mean(1))


@onnx
def test_batches_of_any_size_give_equal_numbers(tmp_path: Path) -> None:
    encoder = from_file(str(frames_onnx(tmp_path / "frames.onnx")))
    sounds = noise(5)
    torch.testing.assert_close(encoder(sounds, 16000)[3:4], encoder(sounds[3:4], 16000))


def test_the_version_is_of_the_file_and_its_rate(tmp_path: Path) -> None:
    path = loudness(tmp_path)
    first, again, other = (from_file(text) for text in (str(path), str(path), f"{path}:8000"))
    assert first.version == again.version != other.version
    assert first.version.endswith("at 16000 Hz")
    replaced = torchscript(path, Counting(), torch.zeros(1, 50))
    assert from_file(str(replaced)).version != first.version


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple:
            return (tmp_path / "harm").write_text, ("done",)

    plain, zipped = tmp_path / "a.pt", tmp_path / "b.pt"
    plain.write_bytes(pickle.dumps(Harm()))
    torch.save(Harm(), zipped)
    for path in (plain, zipped):
        with pytest.raises(UserError, match=r"no TorchScript archive \(a pickle"):
            find_encoders([str(path)])
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.onnx", "no such file"),
        ("./folder/net.h5", "no such file"),
        ("notes.txt", "unknown; allowed: log-mel"),
        ("loudness.pt:5", "got 5 Hz; allowed: 1000 to 384000"),
    ],
)
def test_other_texts_get_one_line(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        find_encoders([name])
    assert "\n" not in str(caught.value)


@onnx
@pytest.mark.parametrize("suffix", [".onnx", ".pt"])
def test_a_damaged_file_gets_one_line(tmp_path: Path, suffix: str) -> None:
    whole = frames_onnx(tmp_path / "a.onnx") if suffix == ".onnx" else loudness(tmp_path, "a.pt")
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(UserError, match=f"a{suffix}: no ") as caught:
        find_encoders([str(whole)])
    assert "\n" not in str(caught.value)


def test_a_network_that_gives_something_else_is_told_so(tmp_path: Path) -> None:
    whole = torchscript(tmp_path / "same.pt", torch.nn.Identity(), torch.zeros(1, 50))
    found = from_file(str(whole))(noise(channels=1), 16000)
    assert found.shape == (3, 4000)
    mean = torchscript(tmp_path / "mean.pt", Mean(), torch.zeros(1, 50))
    with pytest.raises(UserError, match=r"gave \[\]; an encoder gives \[N, d\] or \[N, T, d\]"):
        from_file(str(mean))(noise(), 16000)


class Mean(torch.nn.Module):
    """Anything -> one number."""

    def forward(self, sounds: torch.Tensor) -> torch.Tensor:
        return sounds.mean()


def test_rates_are_split_off_names() -> None:
    assert split_rate("a/b.onnx") == ("a/b.onnx", 16000)
    assert split_rate("a/b.onnx:44100") == ("a/b.onnx", 44100)
    assert split_rate("C:/b.onnx") == ("C:/b.onnx", 16000)
