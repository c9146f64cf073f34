# SPDX-License-Identifier: Apache-2.0
"""Picture encoders: previews go in as they are drawn, one vector a picture comes out."""

from pathlib import Path

import pytest
import torch

from patches.errors import UserError
from patches.scores.encoders.pictures import AT_A_TIME, picture_encoder, previews
from tests.patches.scores.encoders.graphs import Colours, colours_onnx, torchscript


def drawn(count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 16, 32, 3), dtype=torch.uint8, generator=generator)


def test_torchscript_and_onnx_see_the_same_pictures(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime isn't installed")
    pictures = previews(drawn(AT_A_TIME + 3))
    first = picture_encoder(torchscript(tmp_path / "a.pt", Colours(), pictures[:1]))(pictures)
    second = picture_encoder(colours_onnx(tmp_path / "b.onnx"))(pictures)
    wanted = drawn(AT_A_TIME + 3).double().mean((1, 2)).float()
    torch.testing.assert_close(first, wanted)
    torch.testing.assert_close(second, wanted, rtol=1e-5, atol=1e-3)


def test_other_pictures_and_missing_files_get_one_line(tmp_path: Path) -> None:
    encoder = picture_encoder(torchscript(tmp_path / "a.pt", Colours(), previews(drawn())))
    with pytest.raises(UserError, match=r"a: encodes pictures uint8 .* got uint8 \[3, 16, 32, 3\]"):
        encoder(drawn())
    with pytest.raises(UserError, match="got float32"):
        encoder(previews(drawn()).float())
    with pytest.raises(UserError, match="no such file"):
        picture_encoder(tmp_path / "none.onnx")
