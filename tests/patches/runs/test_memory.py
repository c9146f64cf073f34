# SPDX-License-Identifier: Apache-2.0
"""The estimate grows with what is made, and the part of a batch that is chosen fits and holds whole groups."""

from dataclasses import dataclass, replace

import pytest
import torch

from patches.runs.memory import (
    Estimate,
    _free_of_cgroup,
    _Living,
    bytes_kept,
    choose_batch_gpu,
    estimate,
    free_memory,
    peak,
)
from stylegan3.configs import discriminator_spec, generator_spec
from stylegan3.networks import build_discriminator, build_generator
from stylegan3.training.setup import Hyperparameters, Setup

GB = 2**30


@dataclass
class Nothing:
    """Data of which only the shape is asked."""

    shape: tuple[int, int, int]
    c_dim: int = 0
    digest: str = ""

    def __len__(self) -> int:
        return 1


def a_setup(cfg: str = "stylegan2", size: int = 32, cbase: int = 1024, cmax: int = 32, t: int | None = None) -> Setup:
    shape = (4, size, t or size)
    generator = generator_spec(cfg, shape, c_dim=0, cbase=cbase, cmax=cmax)
    discriminator = discriminator_spec(shape, c_dim=0, cbase=cbase, cmax=cmax, group=4)
    numbers = Hyperparameters(batch=8, gamma=1, path_length_weight=2.0 if cfg == "stylegan2" else 0.0)
    return Setup(Nothing(shape), generator, discriminator, numbers, sheet=lambda *_: {})


def needed(*args, **options) -> float:
    return estimate(a_setup(*args, **options)).per_picture


@pytest.mark.parametrize(
    ("cfg", "larger"),
    [
        ("stylegan2", {"size": 64}),
        ("stylegan2", {"t": 64}),
        ("stylegan2", {"cbase": 2048, "cmax": 64}),
        ("stylegan3-t", {"cbase": 2048, "cmax": 64}),
    ],
)
def test_larger_and_wider_networks_need_more(cfg, larger):
    assert needed(cfg, **larger) > 1.1 * needed(cfg)


def test_what_lives_between_iterations_counts_by_the_number_of_weights():
    setup, rng = a_setup(), torch.Generator().manual_seed(0)
    g, d = (
        sum(p.numel() for p in network.parameters())
        for network in (build_generator(setup.generator, rng), build_discriminator(setup.discriminator, rng))
    )
    assert bytes_kept(setup) == 4 * (4 * g + 3 * d)  # G_ema is one more
    assert estimate(setup).fixed >= bytes_kept(setup)


def test_the_peak_is_that_of_the_worst_phase_and_nothing_is_computed():
    setup = a_setup()
    without = replace(setup, hyper=replace(setup.hyper, path_length_weight=0.0))
    assert peak(setup, 4) >= peak(without, 4)
    alive = peak(setup, 4)
    one = 4 * 4 * 32 * 32 * 4  # bytes of 4 pictures
    assert alive > 10 * one


def test_the_count_is_of_what_lives_not_of_all_that_was_made():
    with _Living() as living:
        x = torch.zeros(1000, device="meta")
        for _ in range(10):
            x = x + 1
    assert living.most == 2 * 4000
    assert living.now == 4000


@pytest.mark.parametrize(
    ("batch", "group", "free", "chosen"),
    [
        (16, 4, 100, 16), (16, 4, 14, 8), (16, 4, 7, 4), (16, 4, 1, 4), (8, 4, 14, 8), (12, 4, 14, 4), (2, 4, 100, 2),
        (16, 1, 3, 1), (32, 4, 25, 16),
    ],
)  # fmt: skip
def test_the_largest_part_that_fits_is_chosen_in_whole_groups(batch, group, free, chosen):
    size, reason = choose_batch_gpu(batch, group, Estimate(1.0 * GB, 1.0 * GB), free * GB)
    assert size == chosen
    assert f"{chosen} of {batch} pictures at a time: about 1.00 GB each" in reason
    assert f"{free:.1f} GB free" in reason


def test_too_little_memory_is_said():
    _, reason = choose_batch_gpu(16, 4, Estimate(1.0 * GB, 1.0 * GB), 2.0 * GB)
    assert "may be too little" in reason
    assert "may be too little" not in choose_batch_gpu(16, 4, Estimate(1.0 * GB, 1.0 * GB), 50.0 * GB)[1]


def test_free_memory_is_a_plausible_number():
    assert 2**26 < free_memory(torch.device("cpu")) < 2**46


def test_a_control_group_gives_its_limit_less_what_is_in_use_and_no_cache(tmp_path):
    for name, content in (("memory.max", "1000"), ("memory.current", "900")):
        (tmp_path / name).write_text(content)
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 400\nactive_file 200\n")
    assert _free_of_cgroup(tmp_path) == 700
    (tmp_path / "memory.max").write_text("max\n")
    assert _free_of_cgroup(tmp_path) == float("inf")
