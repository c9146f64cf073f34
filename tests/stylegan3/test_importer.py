# SPDX-License-Identifier: Apache-2.0
"""The importer accounts for every tensor and every setting."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.importer import discriminator_from_reference, generator_from_reference

DATA = Path(__file__).parents[1] / "data" / "reference"


def load(name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    with np.load(DATA / f"{name}.npz") as file:
        state = {k[6:]: torch.from_numpy(file[k]) for k in file.files if k.startswith("state/")}
        return json.loads(str(file["config"])), state


def test_missing_and_unexpected_names_are_both_listed() -> None:
    config, state = load("stylegan3-t-32")
    state["synthesis.extra"] = state.pop("synthesis.L5_52_24.bias")
    with pytest.raises(NetworkError, match=r"missing synthesis.L5_52_24.bias; unexpected synthesis.extra"):
        generator_from_reference(config, state)


def test_another_filter_is_refused() -> None:
    config, state = load("stylegan3-r-32")
    state["synthesis.L3_36_24.down_filter"] = state["synthesis.L3_36_24.down_filter"] * 1.01
    with pytest.raises(NetworkError, match=r"L3_36_24.down_filter"):
        generator_from_reference(config, state)


def test_another_shape_is_refused() -> None:
    config, state = load("discriminator-32")
    state["b4.out.weight"] = torch.zeros(2, 24)
    with pytest.raises(NetworkError, match=r"b4.out.weight"):
        discriminator_from_reference(config, state)


def test_settings_that_we_lack_are_refused_by_name() -> None:
    config, state = load("stylegan3-t-32")
    with pytest.raises(NetworkError, match="warp"):
        generator_from_reference({**config, "warp": 1}, state)
    with pytest.raises(NetworkError, match="use_radial_filters"):
        generator_from_reference({**config, "use_radial_filters": True}, state)
    config, state = load("discriminator-32")
    with pytest.raises(NetworkError, match="resnet"):
        discriminator_from_reference({**config, "architecture": "orig"}, state)
    with pytest.raises(NetworkError, match="img_resolution"):
        discriminator_from_reference({}, state)
