# SPDX-License-Identifier: Apache-2.0
"""Networks of a reference snapshot as networks of ours."""

from collections.abc import Callable
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
from stylegan3.legacy.snapshot import ReferenceNetwork
from stylegan3.networks import Discriminator, Generator

Made = TypeVar("Made")


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

    return _one_line(network, make)


def as_discriminator(network: ReferenceNetwork) -> Discriminator:
    """Make our discriminator of a network that was read; raises as `as_generator`."""

    def make() -> Discriminator:
        with torch.device("meta"):
            empty = Discriminator(discriminator_spec(network.config))
        _hold_against(network, empty)
        return discriminator_from_reference(network.config, network.state)

    return _one_line(network, make)


def _hold_against(network: ReferenceNetwork, empty: nn.Module) -> None:
    """Refuse arguments that ask for far more memory than the file's own tensors fill, before it is taken."""
    wanted = sum(tensor.numel() for tensor in empty.state_dict().values())
    given = sum(tensor.numel() for tensor in network.state.values())
    if wanted > 2 * given:
        raise NetworkError(f"{network.class_name}: its arguments ask for {wanted} values, the file holds {given}")


def _one_line(network: ReferenceNetwork, make: Callable[[], Made]) -> Made:
    """Say whose fault it is; arguments of a wrong type are the file's too."""
    place = f"{network.place}: " if network.place else ""
    try:
        return make()
    except NetworkError as error:
        raise NetworkError(f"{place}{error}") from error
    except (TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        raise NetworkError(f"{place}the arguments of a network are damaged ({reason})") from error
