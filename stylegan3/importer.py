# SPDX-License-Identifier: Apache-2.0
"""Networks from a reference state dict: its names and settings translated to ours, every tensor accounted for.

``config`` holds the constructor's arguments under the reference's names, ``state`` its tensors. A name that is missing
or that nothing here takes is an error, never skipped. Filters in the state are held against ours, not copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stylegan3.errors import NetworkError
from stylegan3.networks import Discriminator, DiscriminatorSpec, Generator, GeneratorSpec
from stylegan3.networks.layers import FIR
from stylegan3.networks.plan import layer_numbers
from stylegan3.ops.resampling import Filter

Table = dict[str, str]  # reference name -> our name
Filters = dict[str, Filter]  # reference name -> the filter that we expect there

SAME = ("z_dim", "c_dim", "w_dim", "channel_base", "channel_max")
LAYERED: tuple[str, ...] = ("num_layers", "num_critical", "first_cutoff", "first_stopband", "last_stopband_rel")
LAYERED += ("output_scale", "filter_size", "lrelu_upsampling")
RENAMED = {"margin_size": "margin", "conv_clamp": "clamp"}
PRECISION = ("num_fp16_res", "fused_modconv_default", "magnitude_ema_beta", "class_name")  # don't change the function


def generator_from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Generator:
    """Build the generator of a reference state (StyleGAN3 T or R, or StyleGAN2), weights and averages included.

    Raises:
        NetworkError: for settings that we don't have, or tensors missing, unexpected or of another shape (all listed).
    """
    spec = generator_spec(config, layered="synthesis.input.freqs" in state)
    network = Generator(spec)
    table, filters = _stylegan2(spec) if spec.kind == "stylegan2" else _stylegan3(spec)
    table |= _mapping("mapping", "mapping", spec.mapping_layers, spec.c_dim) | {"mapping.w_avg": "mapping.w_avg"}
    _load(network, table, filters, state)
    return network


def discriminator_from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Discriminator:
    """Build the discriminator of a reference state; raises as generator_from_reference."""
    spec = discriminator_spec(config)
    network = Discriminator(spec)
    table, filters = _discriminator(spec)
    _load(network, table, filters, state)
    return network


def generator_spec(config: Mapping[str, Any], *, layered: bool) -> GeneratorSpec:
    """Translate a generator's settings; ``layered`` says that it is a StyleGAN3."""
    flat = dict(config) | dict(config.get("synthesis_kwargs", {}))
    flat.pop("synthesis_kwargs", None)
    values: dict[str, Any] = {"shape": _shape(flat), "kind": "stylegan2"}
    if layered:
        kernel, radial = int(flat.pop("conv_kernel", 3)), bool(flat.pop("use_radial_filters", False))
        if (kernel, radial) not in ((3, False), (1, True)):
            raise NetworkError(
                f"conv_kernel {kernel} with use_radial_filters {radial}: allowed are 3, False and 1, True"
            )
        values["kind"] = "stylegan3-r" if radial else "stylegan3-t"
        values |= {name: flat.pop(name) for name in LAYERED if name in flat}
        values |= {ours: flat.pop(name) for name, ours in RENAMED.items() if flat.get(name) is not None}
    elif flat.pop("architecture", "skip") != "skip":
        raise NetworkError(f"generator architecture {config.get('architecture')!r}: only 'skip' is known")
    values |= {name: int(flat.pop(name)) for name in SAME if name in flat}
    values["mapping_layers"] = _mapping_layers(flat, 2 if layered else 8)
    _nothing_left(flat, ("conv_clamp", "resample_filter"))
    return GeneratorSpec(**values)


def discriminator_spec(config: Mapping[str, Any]) -> DiscriminatorSpec:
    """Translate a discriminator's settings."""
    flat = dict(config)
    values: dict[str, Any] = {"shape": _shape(flat), "c_dim": int(flat.pop("c_dim", 0))}
    values |= {name: int(flat.pop(name)) for name in ("channel_base", "channel_max") if name in flat}
    head = dict(flat.pop("epilogue_kwargs", {}))
    values["mbstd_group"] = int(head.pop("mbstd_group_size", None) or 4)
    if head.pop("mbstd_num_channels", 1) != 1 or flat.pop("architecture", "resnet") != "resnet":
        raise NetworkError("discriminator: only the resnet architecture with one minibatch-deviation channel is known")
    values["mapping_layers"] = _mapping_layers(flat, 8)
    values["label_dim"] = int(flat.pop("cmap_dim", None) or 0)
    _nothing_left(flat, ("conv_clamp", "block_kwargs"))
    return DiscriminatorSpec(**values)


def _shape(flat: dict[str, Any]) -> tuple[int, int, int]:
    try:
        side, channels = int(flat.pop("img_resolution")), int(flat.pop("img_channels"))
    except KeyError as error:
        raise NetworkError(f"network settings lack {error}: not a network's own constructor arguments?") from None
    return channels, side, side


def _mapping_layers(flat: dict[str, Any], usual: int) -> int:
    given = dict(flat.pop("mapping_kwargs", {}))
    return int(given.get("num_layers", usual))


def _nothing_left(flat: Mapping[str, Any], ignored: tuple[str, ...]) -> None:
    unknown = sorted(set(flat) - set(ignored) - set(PRECISION))
    if unknown:
        raise NetworkError(f"network settings {', '.join(unknown)}: not known here, the result would differ")


def _pairs(reference: str, ours: str, *names: str) -> Table:
    return {f"{reference}.{name}": f"{ours}.{name}" for name in names}


def _dense(reference: str, ours: str) -> Table:
    return _pairs(reference, ours, "weight", "bias")


def _mapping(reference: str, ours: str, layers: int, c_dim: int) -> Table:
    table = _dense(f"{reference}.embed", f"{ours}.embed") if c_dim else {}
    for i in range(layers):
        table |= _dense(f"{reference}.fc{i}", f"{ours}.layers.{i}")
    return table


def _stylegan3(spec: GeneratorSpec) -> tuple[Table, Filters]:
    here = "synthesis.input"
    table = _pairs(here, here, "weight", "transform", "freqs", "phases") | _dense(f"{here}.affine", f"{here}.affine")
    filters: Filters = {}
    for i, layer in enumerate(layer_numbers(spec)):
        theirs, ours = f"synthesis.L{i}_{layer.after.size[1]}_{layer.channels_out}", f"synthesis.layers.{i}"
        table |= _dense(theirs, ours) | _dense(f"{theirs}.affine", f"{ours}.affine")
        table[f"{theirs}.magnitude_ema"] = f"{ours}.magnitude"
        for name, taps in (("up_filter", layer.up_filter()), ("down_filter", layer.down_filter())):
            if taps is not None:
                filters[f"{theirs}.{name}"] = taps
    return table, filters


def _fir() -> Filter:
    return tuple(tuple(a * b for b in FIR) for a in FIR)


def _stylegan2(spec: GeneratorSpec) -> tuple[Table, Filters]:
    table, filters = {"synthesis.b4.const": "synthesis.const"}, {}
    for k in range(int(log2(spec.size)) - 1):
        theirs, ours = f"synthesis.b{4 << k}", f"synthesis.blocks.{k}"
        table |= _dense(f"{theirs}.torgb", f"{ours}.picture")
        table |= _dense(f"{theirs}.torgb.affine", f"{ours}.picture.affine")
        filters[f"{theirs}.resample_filter"] = _fir()
        for a, b in (("conv0", "first"), ("conv1", "second"))[0 if k else 1 :]:
            table |= _dense(f"{theirs}.{a}", f"{ours}.{b}") | _dense(f"{theirs}.{a}.affine", f"{ours}.{b}.affine")
            table[f"{theirs}.{a}.noise_const"] = f"{ours}.{b}.noise"
            table[f"{theirs}.{a}.noise_strength"] = f"{ours}.{b}.strength"
            filters[f"{theirs}.{a}.resample_filter"] = _fir()
    return table, filters


def _discriminator(spec: DiscriminatorSpec) -> tuple[Table, Filters]:
    table = _dense(f"b{spec.size}.fromrgb", "entry")
    filters: Filters = {f"b{spec.size}.fromrgb.resample_filter": _fir(), "b4.conv.resample_filter": _fir()}
    for k in range(int(log2(spec.size)) - 2):
        theirs, ours = f"b{spec.size >> k}", f"blocks.{k}"
        table |= _dense(f"{theirs}.conv0", f"{ours}.first") | _dense(f"{theirs}.conv1", f"{ours}.second")
        table[f"{theirs}.skip.weight"] = f"{ours}.skip.weight"
        names = ("", ".conv0", ".conv1", ".skip")
        filters |= {f"{theirs}{name}.resample_filter": _fir() for name in names}
    for a, b in (("conv", "conv"), ("fc", "dense"), ("out", "out")):
        table |= _dense(f"b4.{a}", b)
    if spec.c_dim:
        table |= _mapping("mapping", "labels", spec.mapping_layers, spec.c_dim)
    return table, filters


def _load(network: nn.Module, table: Table, filters: Filters, state: Mapping[str, Tensor]) -> None:
    """Copy a state into a network, by the table; nothing may be missing, left over or of another shape."""
    missing = sorted((set(table) | set(filters)) - set(state))
    unexpected = sorted(set(state) - set(table) - set(filters))
    if missing or unexpected:
        raise NetworkError(f"the state doesn't fit: missing {_listed(missing)}; unexpected {_listed(unexpected)}")
    own = network.state_dict()
    shapes = [
        f"{a} {tuple(state[a].shape)} for {tuple(own[b].shape)}" for a, b in table.items() if _differs(state[a], own[b])
    ]
    shapes += [name for name, taps in filters.items() if not _same_filter(state[name], taps)]
    if shapes:
        raise NetworkError(f"the state doesn't fit: of other shapes or filters {_listed(shapes)}")
    network.load_state_dict({b: state[a].detach().to(torch.float32) for a, b in table.items()})


def _differs(theirs: Tensor, ours: Tensor) -> bool:
    return theirs.shape != ours.shape


def _same_filter(given: Tensor, taps: Filter) -> bool:
    expected = np.asarray(taps, dtype=np.float64)
    found = given.detach().double().cpu().numpy()
    return expected.shape == found.shape and bool(np.abs(expected - found).max() < 1e-5 * np.abs(expected).max())


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "nothing"
