# SPDX-License-Identifier: Apache-2.0
"""Files of tensors: equal content, equal bytes; anything else than a whole one of ours is refused in one line."""

import errno
import json
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from patches.errors import UserError
from patches.runs import tensorfile

HEADER = {"kind": "network", "images": 5, "view": {"b": [0.1, 1e-300], "a": None}}


def tensors() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {
        "b.weight": torch.randn(3, 5, generator=rng),
        "a.odd": torch.arange(3, dtype=torch.uint8),
        "p": torch.tensor(0.25, dtype=torch.float64),
        "images": torch.tensor(7, dtype=torch.int64),
        "empty": torch.zeros(0, 4),
        "half": torch.randn(3, generator=rng).to(torch.bfloat16),
        "turned": torch.randn(4, 3, generator=rng).T,
        "yes": torch.tensor([True, False]),
    }


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "x.safetensors"
    tensorfile.save(path, tensors(), HEADER)
    loaded, header = tensorfile.load(path)
    assert loaded.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    assert {key: header[key] for key in HEADER} == HEADER
    assert tensorfile.read_header(path) == header


def test_the_safetensors_library_reads_the_same(tmp_path):
    path = tmp_path / "x.safetensors"
    tensorfile.save(path, tensors(), HEADER)
    theirs = load_file(path)
    assert all(torch.equal(theirs[name], tensor) for name, tensor in tensors().items())


def test_the_header_is_one_key_of_sorted_json(tmp_path):
    path = tmp_path / "x.safetensors"
    tensorfile.save(path, tensors(), HEADER)
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    metadata = json.loads(raw[8 : 8 + length])["__metadata__"]
    assert list(metadata) == ["sg3-spect"]
    assert metadata["sg3-spect"] == json.dumps(json.loads(metadata["sg3-spect"]), sort_keys=True)
    assert (8 + length) % 8 == 0


def test_equal_content_gives_equal_bytes_in_any_order_and_process(tmp_path):
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    tensorfile.save(a, tensors(), HEADER)
    tensorfile.save(b, dict(reversed(tensors().items())), dict(reversed(HEADER.items())))
    assert a.read_bytes() == b.read_bytes()
    other = tmp_path / "c.safetensors"
    code = (
        "import sys; from pathlib import Path; from tests.patches.runs.test_tensorfile import *;"
        "tensorfile.save(Path(sys.argv[1]), tensors(), HEADER)"
    )
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", code, str(other)], cwd=root, check=True, env={**os.environ, "PYTHONHASHSEED": "77"}
    )
    assert other.read_bytes() == a.read_bytes()


def test_a_part_is_loaded_by_prefix_or_by_wish(tmp_path):
    path = tmp_path / "x.safetensors"
    both = {f"{prefix}.{name}": tensor for prefix in "GD" for name, tensor in tensors().items()}
    tensorfile.save(path, both, HEADER)
    assert tensorfile.load(path, "D.")[0].keys() == tensors().keys()
    assert tensorfile.load(path, wanted=lambda name: name == "G.p")[0].keys() == {"G.p"}


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    former = os.umask(0o027)
    try:
        tensorfile.save(tmp_path / "x.safetensors", tensors(), HEADER)
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "x.safetensors").stat().st_mode) == 0o640


def test_a_full_disk_leaves_the_former_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    tensorfile.save(path, tensors(), HEADER)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"the disk is full.*former"):
        tensorfile.save(path, {"other": torch.ones(3)}, HEADER)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, share):
    path = tmp_path / "x.safetensors"
    tensorfile.save(path, tensors(), HEADER)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    for read in (tensorfile.load, tensorfile.read_header):
        with pytest.raises(UserError, match=r"not a whole \.safetensors") as error:
            read(path)
        assert "\n" not in str(error.value)


def test_other_files_are_refused_by_what_they_are(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="no such file"):
        tensorfile.load(path)
    path.write_bytes(b"\x80\x04K\x01.")  # a pickle
    with pytest.raises(UserError, match=r"not a whole \.safetensors"):
        tensorfile.load(path)
    save_file({"a": torch.ones(1)}, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match="another program"):
        tensorfile.load(path)
    save_file({"a": torch.ones(1)}, path, metadata={"sg3-spect": "{"})
    with pytest.raises(UserError, match="damaged"):
        tensorfile.load(path)
    tensorfile.save(path, {}, {"format_version": 2})
    with pytest.raises(UserError, match=r"newer.*format 2.*update"):
        tensorfile.load(path)


def test_values_that_are_not_finite_are_seen():
    assert tensorfile.is_finite(tensors())
    assert not tensorfile.is_finite({"a": torch.tensor([1.0, float("inf")])})
