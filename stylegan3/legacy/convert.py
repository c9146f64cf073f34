# SPDX-License-Identifier: Apache-2.0
"""Networks of a reference snapshot as networks of ours."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from stylegan3.errors import NetworkError
from stylegan3.importer import (
    discriminator_from_reference,
    discriminator_spec,
    generator_from_reference,
    generator_spec,
)
from stylegan3.legacy.snapshot import ReferenceNetwork, read_snapshot
from stylegan3.networks import Discriminator, Generator

Made = TypeVar("Made")


def read_generator(path: Path, name: str = "G_ema") -> Generator:
    """Read the generator `name` of a reference snapshot as a network of ours."""
    return _read(path, name, as_generator)


def read_discriminator(path: Path, name: str = "D") -> Discriminator:
    """Read the discriminator of a reference snapshot as a network of ours."""
    return _read(path, name, as_discriminator)


def as_generator(network: ReferenceNetwork) -> Generator:
    """Make our generator of a network that was read.

    Raises:
        NetworkError: its arguments or tensors are not those of a generator that we have.
    """

    def make() -> Generator:
        layered = "synthesis.input.freqs" in network.state
        with torch.device("meta"):
            empty = Generator(generator_spec(network.config, layered=layered))
        _hold_against(network, empty)
        return generator_from_reference(network.config, network.state)

    return _one_line(make)


def as_discriminator(network: ReferenceNetwork) -> Discriminator:
    """Make our discriminator of a network that was read; raises as `as_generator`."""

    def make() -> Discriminator:
        with torch.device("meta"):
            empty = Discriminator(discriminator_spec(network.config))
        _hold_against(network, empty)
        return discriminator_from_reference(network.config, network.state)

    return _one_line(make)


def _read(path: Path, name: str, make: Callable[[ReferenceNetwork], Made]) -> Made:
    networks = read_snapshot(path)
    if name not in networks:
        raise NetworkError(f"{path}: has no network {name}; it has {', '.join(networks)}")
    try:
        return make(networks[name])
    except NetworkError as error:
        raise NetworkError(f"{path}: {name}: {error}") from error


def _hold_against(network: ReferenceNetwork, empty: nn.Module) -> None:
    """Refuse arguments that ask for far more memory than the file's own tensors fill, before it is taken."""
    wanted = sum(tensor.numel() for tensor in empty.state_dict().values())
    given = sum(tensor.numel() for tensor in network.state.values())
    if wanted > 2 * given:
        raise NetworkError(f"{network.class_name}: its arguments ask for {wanted} values, the file holds {given}")


def _one_line(make: Callable[[], Made]) -> Made:
    """Arguments of a wrong type are the file's fault, told as such."""
    try:
        return make()
    except NetworkError:
        raise
    except (TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        raise NetworkError(f"the arguments of a network are damaged ({reason})") from error
