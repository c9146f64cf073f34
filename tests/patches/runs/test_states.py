# SPDX-License-Identifier: Apache-2.0
"""Snapshots: what they hold, what a full disk or a NaN leaves, which states are kept whole."""

import errno
import os

import pytest
import torch

from patches.errors import UserError
from patches.runs import tensorfile
from patches.runs.directory import Run
from patches.runs.states import Moment, Snapshots, read_state
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import setup, trained


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return trained(setup("stylegan2"), 1)


@pytest.fixture
def snapshots(tmp_path) -> Snapshots:
    return Snapshots(Run(tmp_path), {"cfg": "stylegan2"}, keep=2)


def at(trainer: Trainer, images: int) -> Trainer:
    trainer.images = images
    return trainer


def headers(folder) -> dict[str, dict]:
    return {path.name[15:-12]: tensorfile.read_header(path) for path in Run(folder).states()}


def test_a_network_snapshot_holds_the_mean_generator_alone(trainer, snapshots, tmp_path):
    snapshots.write(Moment.of(at(trainer, 1000)))
    tensors, header = tensorfile.load(tmp_path / "network-snapshot-000001.safetensors")
    assert all(name.startswith("G_ema.") for name in tensors)
    assert (header["kind"], header["version"], header["images"], header["kimg"]) == ("network", 1, 1000, 1.0)
    own = trainer.mean_generator.state_dict()
    assert tensors.keys() == {f"G_ema.{name}" for name in own}
    assert all(torch.equal(tensors[f"G_ema.{name}"], value) for name, value in own.items())


def test_a_state_needs_no_other_file(trainer, snapshots):
    path = snapshots.write(Moment.of(at(trainer, 1000)))
    tensors, header = read_state(path)
    again = Trainer(trainer.setup)
    assert again.load_state(tensors) == []
    assert again.images == 1000
    assert header["pruned"] is False


def test_all_but_the_last_states_lose_their_optimisers(trainer, snapshots, tmp_path):
    for kimg in range(4):
        snapshots.write(Moment.of(at(trainer, 1000 * kimg)))
    found = headers(tmp_path)
    assert [header["pruned"] for header in found.values()] == [True, True, False, False]
    for number, header in found.items():
        names = set(tensorfile.load(tmp_path / f"training-state-{number}.safetensors")[0])
        assert {"G", "D", "G_ema", "ada", "counters", "path_length"} <= {name.split(".")[0] for name in names}
        assert any("_optimizer." in name for name in names) is not header["pruned"]


def test_what_was_written_off_the_rhythm_goes_with_the_next(trainer, snapshots, tmp_path):
    snapshots.write(Moment.of(at(trainer, 1000)))
    snapshots.write(Moment.of(at(trainer, 1312)), between=True)
    assert list(headers(tmp_path)) == ["000001", "000001.312"]
    snapshots.write(Moment.of(at(trainer, 2000)))
    assert list(headers(tmp_path)) == ["000001", "000002"]
    assert sorted(path.name[17:-12] for path in tmp_path.glob("network-*")) == ["000001", "000002"]


def test_a_stop_right_at_a_snapshot_writes_nothing_more(trainer, snapshots, tmp_path):
    path = snapshots.write(Moment.of(at(trainer, 1000)))
    before = path.stat().st_mtime_ns
    assert snapshots.write(Moment.of(at(trainer, 1000)), between=True) == path
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("which", ["network", "state", "pruning"])
def test_a_full_disk_leaves_every_former_file_whole(trainer, snapshots, tmp_path, monkeypatch, which):
    for kimg in (1, 2):
        snapshots.write(Moment.of(at(trainer, 1000 * kimg)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    written, limit = 0, {"network": 1, "state": 2, "pruning": 3}[which]
    real = os.fsync

    def full(handle: int) -> None:
        nonlocal written
        if os.path.isfile(f"/proc/self/fd/{handle}"):
            written += 1
            if written == limit:
                raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="the disk is full") as error:
        snapshots.write(Moment.of(at(trainer, 3000)))
    assert "\n" not in str(error.value)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert not list(tmp_path.glob(".*"))
    for path in Run(tmp_path).states():
        read_state(path)


def test_networks_that_are_not_finite_are_never_written(trainer, snapshots, tmp_path):
    good = snapshots.write(Moment.of(at(trainer, 1000)))
    weight = trainer.generator.mapping.layers[0].weight
    value = weight[0, 0].clone()
    with torch.no_grad():
        weight[0, 0] = float("nan")
    try:
        with pytest.raises(UserError, match=f"not finite after 2000 pictures; the last good state is {good}"):
            snapshots.write(Moment.of(at(trainer, 2000)))
    finally:
        with torch.no_grad():
            weight[0, 0] = value
    assert list(headers(tmp_path)) == ["000001"]


def test_another_kind_or_a_newer_version_is_no_state(trainer, snapshots, tmp_path):
    path = snapshots.write(Moment.of(at(trainer, 1000)))
    with pytest.raises(UserError, match="a 'network' of this program, not a training state"):
        read_state(tmp_path / "network-snapshot-000001.safetensors")
    tensors, header = tensorfile.load(path)
    tensorfile.save(path, tensors, {**header, "version": 2})
    with pytest.raises(UserError, match="a state of version 2"):
        read_state(path)
