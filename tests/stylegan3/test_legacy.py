# SPDX-License-Identifier: Apache-2.0
"""Snapshots built here in the reference's structure are read whole, and give the reference's pictures."""

import json
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.legacy import as_discriminator, as_generator, read_snapshot

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
BUFFERS = ("filter", "noise_const", "magnitude_ema", "w_avg", "freqs", "phases", "transform")
SOURCE = "open('executed', 'w')"  # stands where the reference's own text stands; must never run
EQUALITY = 1e-4  # of the largest output value: what the networks promise against the reference

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a snapshot of networks given as {name: (class name, kwargs, flat state)}, through Python's own pickler."""
    for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    persistence, util = sys.modules["torch_utils.persistence"], sys.modules["dnnlib.util"]

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> Any:
        raise AssertionError("the reader ran a function that a snapshot named")

    _reconstruct_persistent_obj.__module__ = persistence.__name__
    _reconstruct_persistent_obj.__qualname__ = _reconstruct_persistent_obj.__name__
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    util.EasyDict = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})  # type: ignore[attr-defined]

    class Persistent:
        def __init__(self, class_name: str, state: dict[str, Any]) -> None:
            self.meta = {"class_name": class_name, "state": state}

        def __reduce__(self) -> Any:
            meta = util.EasyDict(type="class", version=6, module_src=SOURCE, **self.meta)
            return _reconstruct_persistent_obj, (meta,)

    def module(class_name: str, kwargs: dict[str, Any], state: dict[str, torch.Tensor], parameter: Any) -> Persistent:
        own = {name: value for name, value in state.items() if "." not in name}
        children = OrderedDict((name.split(".")[0], None) for name in state if "." in name)
        for child in children:
            inside = {name[len(child) + 1 :]: value for name, value in state.items() if name.startswith(f"{child}.")}
            children[child] = module("Part", {}, inside, parameter)
        attributes = {
            "training": False,
            "_parameters": OrderedDict((n, parameter(v)) for n, v in own.items() if not n.endswith(BUFFERS)),
            "_buffers": OrderedDict((n, v) for n, v in own.items() if n.endswith(BUFFERS)),
            "_non_persistent_buffers_set": set(),
            "_forward_hooks": OrderedDict(),
            "_modules": children,
            "_init_args": (),
            "_init_kwargs": util.EasyDict(kwargs),
            "layer_names": list(children),
            "some_filter": np.arange(6.0).reshape(2, 3),
            "some_number": np.float64(1.5),
        }
        return Persistent(class_name, attributes)

    def build(networks: dict[str, Any], protocol: int = 4, parameter: Any = torch.nn.Parameter) -> Path:
        made = {name: module(*network, parameter) for name, network in networks.items()}
        top = {"training_set_kwargs": util.EasyDict(path="x.zip"), "augment_pipe": None, **made}
        path = tmp_path / "network-snapshot-000000.pkl"
        path.write_bytes(pickle.dumps(top, protocol))
        return path

    return build


def random_state(seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    names = {
        "a.weight": (3, 4),
        "a.b.weight": (2, 3, 1, 1),
        "a.b.magnitude_ema": (),
        "a.b.up_filter": (6,),
        "w_avg": (5,),
    }
    return {name: torch.randn(shape, generator=rng) for name, shape in names.items()}


def test_the_state_comes_back_by_the_references_names(write: Write) -> None:
    states = {name: random_state(seed) for seed, name in enumerate(("G", "D", "G_ema"))}
    kwargs = {"img_resolution": 32, "mapping_kwargs": {"num_layers": 2}, "f": [1, 3.5, None], "use": True}
    networks = read_snapshot(write({name: ("Generator", kwargs, state) for name, state in states.items()}))
    assert list(networks) == ["G", "D", "G_ema"]
    for name, network in networks.items():
        assert network.class_name == "Generator"
        assert network.config == kwargs
        assert type(network.config["mapping_kwargs"]) is dict
        assert network.state.keys() == states[name].keys()
        assert all(torch.equal(value, states[name][key]) for key, value in network.state.items())
        assert not any(value.requires_grad for value in network.state.values())


def test_nothing_in_the_file_is_executed(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write({"G_ema": ("Generator", {}, random_state())})
    read_snapshot(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_nested_synthesis_arguments_are_laid_open(write: Write) -> None:
    kwargs = {"z_dim": 64, "synthesis_kwargs": {"channel_base": 512, "num_fp16_res": 4}, "mapping_kwargs": {}}
    network = read_snapshot(write({"G": ("Generator", kwargs, random_state())}))["G"]
    assert network.config == {"z_dim": 64, "channel_base": 512, "num_fp16_res": 4, "mapping_kwargs": {}}


def test_views_half_precision_and_column_order_keep_their_values(write: Write) -> None:
    storage = torch.arange(24.0)
    state = {
        "transposed": storage.view(4, 6).T,
        "strided": storage[3::4],
        "half": torch.randn(3, 2, generator=torch.Generator().manual_seed(1)).half(),
        "empty": torch.empty(0, 3),
    }
    network = read_snapshot(write({"D": ("Discriminator", {}, state)}))["D"]
    for name, value in state.items():
        assert network.state[name].dtype == value.dtype
        assert torch.equal(network.state[name], value)


def test_numpy_buffers_become_tensors(write: Write) -> None:
    arrays = {"a_filter": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "b_filter": np.arange(3, dtype=">i4")}
    network = read_snapshot(write({"G": ("Generator", {}, arrays)}))["G"]
    for name, value in arrays.items():
        np.testing.assert_array_equal(network.state[name].numpy(), value)


def test_a_snapshot_cut_at_any_place_gives_one_line(write: Write) -> None:
    path = write({"G_ema": ("Generator", {"img_resolution": 32}, random_state())})
    whole = path.read_bytes()
    for length in range(1, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(NetworkError, match=r"truncated") as caught:
            read_snapshot(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def reference(name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    path = REFERENCE / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not among the test data")
    with np.load(path) as data:
        groups = {
            group: {key[len(group) + 1 :]: torch.from_numpy(data[key]) for key in data if key.startswith(f"{group}/")}
            for group in ("state", "io")
        }
        return json.loads(str(data["config"])), groups["state"], groups["io"]


@pytest.mark.parametrize("name", ["stylegan3-t-32", "stylegan3-t-32-cond3", "stylegan3-r-32", "stylegan2-32"])
def test_a_generator_read_from_a_pickle_gives_the_references_picture(write: Write, name: str) -> None:
    config, state, io_ = reference(name)
    network = as_generator(read_snapshot(write({"G_ema": ("Generator", config, state)}))["G_ema"])
    with torch.no_grad():
        found = network(io_["z"], io_["c"])
    assert (found - io_["image"]).abs().max() <= EQUALITY * io_["image"].abs().max()


@pytest.mark.parametrize("name", ["discriminator-32", "discriminator-32-cond3"])
def test_a_discriminator_read_from_a_pickle_gives_the_references_logits(write: Write, name: str) -> None:
    config, state, io_ = reference(name)
    network = as_discriminator(read_snapshot(write({"D": ("Discriminator", config, state)}))["D"])
    with torch.no_grad():
        found = network(io_["image"], io_["c"])
    assert (found - io_["logits"]).abs().max() <= EQUALITY * io_["logits"].abs().max()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04" + b"\0" * 60, "is a zip file"),
        ((60).to_bytes(8, "little") + b'{"a":1}' + b" " * 80, "is a safetensors file"),
        (b"RIFF" + b"\0" * 60, "is a wav file"),
        (b"hello, this is text\n", "damaged, or no pickle"),
        (pickle.dumps([1, 2], 4), "holds list"),
        (pickle.dumps({"G": 1}, 4), "none of the networks"),
    ],
)
def test_other_files_are_told_apart_in_one_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "other.pkl"
    path.write_bytes(data)
    with pytest.raises(NetworkError, match=message) as caught:
        read_snapshot(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(NetworkError, match="can't be read"):
        read_snapshot(tmp_path / "gone.pkl")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"img_resolution": "large"}, "arguments of a network are damaged"),
        ({"img_resolution": 65536}, "channel_base 512: at least 65536"),
        ({"z_dim": 2**19, "w_dim": 2**19}, "ask for"),  # would take a terabyte
        ({"channel_max": 2**40}, "beyond"),
        ({"surprise": 1}, "surprise"),
        ({"channel_max": 16}, "doesn't fit"),
    ],
)
def test_arguments_that_do_not_go_with_the_tensors_are_refused(
    write: Write, wrong: dict[str, Any], message: str
) -> None:
    config, state, _ = reference("stylegan2-32")
    path = write({"G_ema": ("Generator", config | wrong, state)})
    with pytest.raises(NetworkError, match=message) as caught:
        as_generator(read_snapshot(path)["G_ema"])
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
