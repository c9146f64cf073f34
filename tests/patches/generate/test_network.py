# SPDX-License-Identifier: Apache-2.0
import os

import pytest

from patches.errors import UserError
from patches.generate.files import subfolders
from patches.generate.network import find_networks


def touch(path, time=1000):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    os.utime(path, (time, time))
    return path


def test_the_newest_snapshot_of_a_run_has_the_largest_number(tmp_path):
    names = ("000002", "000010", "000010.312", "000009")
    made = {name: touch(tmp_path / f"network-snapshot-{name}.safetensors") for name in names}
    assert find_networks([str(tmp_path)]) == [made["000010.312"]]


@pytest.mark.parametrize("depth", ["00001-run", "europa/00001-run"])
def test_a_folder_of_runs_gives_the_run_written_last(tmp_path, depth):
    touch(tmp_path / "europa/00000-run/network-snapshot-000090.safetensors", time=1000)
    last = touch(tmp_path / depth / "network-snapshot-000010.safetensors", time=2000)
    touch(tmp_path / depth / "network-snapshot-000009.safetensors", time=3000)
    assert find_networks([str(tmp_path)]) == [last]


def test_a_pattern_is_sorted_by_number_and_leaves_training_states_out(tmp_path):
    made = [touch(tmp_path / f"network-snapshot-{k:06d}.safetensors") for k in (2, 10, 1_000_000)]
    touch(tmp_path / "training-state-000002.safetensors")
    touch(tmp_path / "fakes000002.png")
    for pattern in ("*", "*.safetensors", "network*.pkl"):
        assert find_networks([str(tmp_path / pattern)]) == made


def test_a_file_named_twice_is_taken_once(tmp_path):
    path = touch(tmp_path / "network-snapshot-000002.safetensors")
    assert find_networks([str(path), str(path.with_suffix(".pkl")), str(tmp_path)]) == [path]


def test_brackets_in_a_name_are_no_pattern(tmp_path):
    path = touch(tmp_path / "run[1]" / "network-snapshot-000002.safetensors")
    assert find_networks([str(path)]) == [path]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="--network"):
        find_networks([str(tmp_path)])


def test_folders_of_snapshots_never_share_a_name(tmp_path):
    same = [tmp_path / run / "network-snapshot-000002.safetensors" for run in ("a", "b")]
    assert subfolders(same) == ["a_network-snapshot-000002", "b_network-snapshot-000002"]
    assert len(set(subfolders([tmp_path / "x/a/n.safetensors", tmp_path / "y/a/n.safetensors"]))) == 2
