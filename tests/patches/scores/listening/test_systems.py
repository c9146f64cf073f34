# SPDX-License-Identifier: Apache-2.0
"""Sounds of a test: levels and lengths don't tell whose they are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from patches.errors import UserError
from patches.generate.network import open_network
from patches.scores.listening.systems import System, alike, labels, network_systems, real_systems
from spect.archive.reader import Archive


def system(name: str, sound: torch.Tensor, rate: int = 8000) -> System:
    return System(name, "network", sound, rate, ({},) * len(sound))


def test_snapshots_are_named_as_short_as_tells_them_apart():
    paths = [Path("/a/one/n-10.safetensors"), Path("/a/two/n-10.safetensors"), Path("/a/two/n-20.safetensors")]
    assert labels(paths) == ["one/n-10", "two/n-10", "n-20"]
    same = [Path("/a/one/n.safetensors"), Path("/b/one/n.safetensors")]
    assert labels(same) == [str(path) for path in same]


def test_one_factor_brings_all_below_full_scale_and_only_where_needed():
    quiet, loud = system("quiet", torch.full((1, 2, 8), 0.25)), system("loud", torch.full((1, 2, 8), -2.0))
    (one, other), gain = alike([quiet, loud])
    assert gain == 0.5
    assert one.sounds.unique().item() == 0.125
    assert other.sounds.unique().item() == -1
    (one,), gain = alike([quiet])
    assert gain == 1
    assert torch.equal(one.sounds, quiet.sounds)


def test_lengths_that_differ_become_the_shortest_with_the_same_end():
    (one, other), _ = alike([system("a", torch.ones(1, 2, 1000)), system("b", torch.ones(1, 2, 800))])
    assert torch.equal(one.sounds, other.sounds)
    assert one.sounds.shape[-1] == 800
    assert one.sounds[..., -1].abs().max() == 0
    assert torch.all(one.sounds[..., :720] == 1)


def test_sample_rates_that_differ_are_refused():
    with pytest.raises(UserError, match="a 8000 Hz, b 16000 Hz"):
        alike([system("a", torch.ones(1, 2, 8)), system("b", torch.ones(1, 2, 8), 16000)])


def test_real_sounds_are_the_archives_own_and_pass_the_networks_view(sounds: Path, networks: list[Path]):
    archive, view = Archive.open(sounds), open_network(networks[0], torch.device("cpu")).view
    real, through = real_systems(archive, view, 3, 0)
    items = [origin["item"] for origin in real.origins]
    wanted = archive.representation.decode(torch.from_numpy(archive.canvases(np.asarray(items))))
    assert torch.equal(real.sounds, wanted)
    assert (real.name, through.name) == ("held-out real", "real through the representation")
    assert (through.sounds - real.sounds).abs().max() < 1e-4  # cmyk is lossless, its scaling too
    assert through.origins == real.origins


def test_networks_get_the_same_seeds_and_their_own_sounds(sounds: Path, networks: list[Path]):
    archive = Archive.open(sounds)
    (one, other), view = network_systems(networks, archive, 3, 5, 1.0, torch.device("cpu"))
    assert [origin["seed"] for origin in one.origins] == [origin["seed"] for origin in other.origins] == [5, 6, 7]
    assert one.sounds.shape == other.sounds.shape == (3, 2, view.samples)
    assert len({tuple(sound.flatten()[:50].tolist()) for sound in (*one.sounds, *other.sounds)}) == 6
    assert all("asked" in origin for origin in one.origins)
    assert not any("asked" in origin for origin in other.origins)
