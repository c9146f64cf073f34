# SPDX-License-Identifier: Apache-2.0
"""Equality with recorded inputs and outputs of the published networks and operations (tests/data/reference)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stylegan3.importer import discriminator_from_reference, generator_from_reference
from stylegan3.networks import compute_with
from stylegan3.ops.bias_act import bias_act
from stylegan3.ops.filtered_lrelu import filtered_lrelu
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.upfirdn import upfirdn2d

DATA = Path(__file__).parents[1] / "data" / "reference"
ALLOWED = 1e-5  # of the output's largest value; the house's bound is 1e-4
OPERATIONS = {"upfirdn2d": upfirdn2d, "filtered_lrelu": filtered_lrelu, "bias_act": bias_act}


def load(name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return a file's (config, state, io)."""
    with np.load(DATA / f"{name}.npz") as file:
        arrays = {k: torch.from_numpy(file[k]) for k in file.files if "/" in k}
        config = json.loads(str(file["config"]))
    parts = [{k.split("/", 1)[1]: v for k, v in arrays.items() if k.startswith(p)} for p in ("state/", "io/")]
    return config, parts[0], parts[1]


def error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the largest difference relative to the largest value."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


@torch.no_grad()
def check_generator(name: str) -> None:
    for impl in ("auto", "plain", "reference"):
        check_generator_by(name, impl)  # type: ignore[arg-type]


def check_generator_by(name: str, impl: Impl) -> None:
    config, state, io = load(name)
    network = generator_from_reference(config, state)
    compute_with(network, impl)
    ws = network.mapping(io["z"], io["c"])
    pulled = network.mapping(io["z"], io["c"], psi=0.6)
    found = {
        "ws": error(ws[:, 0], io["ws"]),
        "image": error(network.synthesis(ws), io["image"]),
        "ws_psi06": error(pulled[:, 0], io["ws_psi06"]),
        "image_psi06": error(network(io["z"], io["c"], psi=0.6), io["image_psi06"]),
    }
    print(name, impl, {k: f"{v:.1e}" for k, v in found.items()})
    assert max(found.values()) < ALLOWED, found


def test_stylegan3_t_32_equals_the_reference() -> None:
    check_generator("stylegan3-t-32")


def test_stylegan3_t_64_equals_the_reference() -> None:
    check_generator("stylegan3-t-64")


def test_stylegan3_t_with_classes_equals_the_reference() -> None:
    check_generator("stylegan3-t-32-cond3")


def test_stylegan3_r_32_equals_the_reference() -> None:
    check_generator("stylegan3-r-32")


def test_stylegan2_32_equals_the_reference() -> None:
    check_generator("stylegan2-32")


@pytest.mark.parametrize("impl", ["auto", "plain", "reference"])
@pytest.mark.parametrize("name", ["discriminator-32", "discriminator-32-cond3"])
@torch.no_grad()
def test_discriminator_equals_the_reference(name: str, impl: Impl) -> None:
    config, state, io = load(name)
    network = discriminator_from_reference(config, state)
    compute_with(network, impl)
    found = error(network(io["image"], io["c"]), io["logits"])
    print(name, f"{found:.1e}")
    assert found < ALLOWED


@pytest.mark.parametrize("impl", ["auto", "plain", "reference"])
def test_operations_equal_the_reference(impl: str) -> None:
    found: dict[str, float] = {}
    with np.load(DATA / "ops.npz") as file:
        cases = json.loads(str(file["meta"]))
        arrays = {k: torch.from_numpy(file[k]) for k in file.files if "/" in k}
    for case in cases:
        number, op = case.pop("case"), case.pop("op")
        given = {k.split("/")[1]: v for k, v in arrays.items() if k.startswith(f"{number:02d}/")}
        expected = given.pop("y")
        e = error(OPERATIONS[op](**given, **case, impl=impl), expected)
        found[op] = max(found.get(op, 0.0), e)
    print("ops", impl, {k: f"{v:.1e}" for k, v in found.items()})
    assert len(cases) == 31
    assert max(found.values()) < ALLOWED, found
