# SPDX-License-Identifier: Apache-2.0
"""Measures how far our networks and operations lie from recorded outputs of the published ones: the README's table.

Weights, inputs and outputs stand in tests/data/reference (facts, not code). The figure is the largest difference over
the largest value, the worst of all outputs of a file. Run from the tree's root:

    python bench/equality.py
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from stylegan3.importer import discriminator_from_reference, generator_from_reference  # noqa: E402
from stylegan3.ops.bias_act import bias_act  # noqa: E402
from stylegan3.ops.filtered_lrelu import filtered_lrelu  # noqa: E402
from stylegan3.ops.upfirdn import upfirdn2d  # noqa: E402

DATA = ROOT / "tests" / "data" / "reference"
NETWORKS = {
    "stylegan3-t-32": "StyleGAN3-T generator, 32x32",
    "stylegan3-t-64": "StyleGAN3-T generator, 64x64",
    "stylegan3-t-32-cond3": "StyleGAN3-T generator, 32x32, 3 classes",
    "stylegan3-r-32": "StyleGAN3-R generator, 32x32",
    "stylegan2-32": "StyleGAN2 generator, 32x32, 3 classes",
    "discriminator-32": "discriminator, 32x32",
    "discriminator-32-cond3": "discriminator, 32x32, 3 classes",
}
OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "upfirdn2d": upfirdn2d,
    "filtered_lrelu": filtered_lrelu,
    "bias_act": bias_act,
}


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference over the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


@torch.no_grad()
def network_difference(name: str) -> float:
    """The worst of a network's recorded outputs: w, pictures, both with truncation; or logits."""
    with np.load(DATA / f"{name}.npz") as file:
        config: dict[str, Any] = json.loads(str(file["config"]))
        arrays = {key: torch.from_numpy(file[key]) for key in file.files if "/" in key}
    state, io = ({key[len(p) :]: v for key, v in arrays.items() if key.startswith(p)} for p in ("state/", "io/"))
    if "logits" in io:
        return difference(discriminator_from_reference(config, state)(io["image"], io["c"]), io["logits"])
    generator = generator_from_reference(config, state)
    found = []
    for psi, suffix in ((1.0, ""), (0.6, "_psi06")):
        ws = generator.mapping(io["z"], io["c"], psi=psi)
        found.append(difference(ws[:, 0], io[f"ws{suffix}"]))
        found.append(difference(generator.synthesis(ws), io[f"image{suffix}"]))
    return max(found)


def operation_differences() -> dict[str, float]:
    """The worst of each operation's recorded cases."""
    found: dict[str, float] = {}
    with np.load(DATA / "ops.npz") as file:
        for case in json.loads(str(file["meta"])):
            prefix = f"{case.pop('case'):02d}/"
            name = case.pop("op")
            given = {key[len(prefix) :]: torch.from_numpy(file[key]) for key in file.files if key.startswith(prefix)}
            expected = given.pop("y")
            found[name] = max(found.get(name, 0.0), difference(OPERATIONS[name](**given, **case), expected))
    return found


def rows() -> Iterator[tuple[str, float]]:
    """What was compared, and its figure."""
    for name, title in NETWORKS.items():
        yield title, network_difference(name)
    for name, worst in operation_differences().items():
        yield f"`{name}`", worst


if __name__ == "__main__":
    torch.set_num_threads(1)
    for title, figure in rows():
        print(f"| {title} | {figure:.1e} |")
