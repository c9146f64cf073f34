# SPDX-License-Identifier: Apache-2.0
"""Channel transfer: the weights of a network for one picture into another with more channels, or of another size.

Fine-tuning starts from a network that was trained on, say, 3-channel pictures; a sound has 4 channels. Tensors go over
by place (a layer's index; blocks of the discriminator are counted from its coarse end) and shape; what differs in shape
stays as the target drew it, and is listed. Image channels sit in G's output layer(s) and D's entry only, and there:

- the first channels keep the source's weights; G's first 3 pictures of 4 are then the source's own, value for value;
- each further channel gets the mean of the source's channels, scaled to their root mean square norm. The mean alone is
  too weak where channels are unlike each other (1/sqrt 3 of the size for independent ones), and then the new channel's
  pictures would be fainter than the old. The scale is at most sqrt(C), its value for independent channels, so that
  channels that cancel don't become noise;
- biases of further channels are the plain mean: an offset, not a size;
- in D the weights are divided by sqrt(C) when they are used (equalised learning rate), so that the same rule keeps the
  size of its first layer's output: one more channel adds 1/C of its power, the divisor takes the same away.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from patches.errors import UserError
from stylegan3.networks import Generator
from stylegan3.recipe import Network


@dataclass(frozen=True)
class Transfer:
    """What came of a transfer.

    Args:
        state: a whole state dict of the target: transferred, adapted, or fresh as the target had it.
        transferred: names of the target whose tensors are the source's.
        adapted: name -> how its channels were made.
        fresh: name -> why it wasn't transferred.
        unused: names of the source that have no place in the target.
    """

    state: dict[str, Tensor]
    transferred: tuple[str, ...]
    adapted: Mapping[str, str]
    fresh: Mapping[str, str]
    unused: tuple[str, ...]

    def lines(self, name: str) -> Iterator[str]:
        """Yield the report on the network `name`: a summary, then everything that isn't simply the source's."""
        counts = f"{len(self.transferred)} tensors transferred, {len(self.adapted)} adapted, {len(self.fresh)} fresh"
        yield f"{name}: {counts}, {len(self.unused)} of the source unused"
        for word, group in (("adapted", self.adapted), ("fresh", self.fresh)):
            yield from (f"  {word} {name}.{tensor}: {why}" for tensor, why in group.items())
        yield from (f"  unused {tensor} of the source" for tensor in self.unused)


def transfer(source: Network, target: Network) -> Transfer:
    """Carry the source's weights over to the target's shape; neither network is changed.

    Raises:
        UserError: the two are not of the same kind.
    """
    if _kind(source) != _kind(target):
        raise UserError(f"the source is {_kind(source)}, this run {_kind(target)}: give the source's --cfg")
    axes = channel_axes(target)
    here, there = target.state_dict(), source.state_dict()
    places = {_place(name, _blocks(there)): name for name in there}
    found = {name: places.get(_place(name, _blocks(here))) for name in here}
    made: dict[str, Tensor] = {}
    transferred, adapted, fresh = [], {}, {}
    for name, origin in found.items():
        given = None if origin is None else there[origin]
        if given is not None and given.shape == here[name].shape:
            made[name] = given
            transferred.append(name)
        elif given is not None and name in axes and _fits(given, here[name], axes[name]):
            made[name], adapted[name] = adapt(given, here[name].shape[axes[name]], axes[name])
        else:
            fresh[name] = "not in the source" if given is None else f"{_shape(given)} there, {_shape(here[name])} here"
    state = {name: made.get(name, here[name]).detach().to(here[name]).clone() for name in here}
    unused = tuple(sorted(set(there) - set(found.values())))
    return Transfer(state, tuple(transferred), adapted, fresh, unused)


def adapt(weights: Tensor, channels: int, axis: int) -> tuple[Tensor, str]:
    """Give weights (or biases) another number of image channels along `axis`; returns them and how, in words."""
    given = weights.shape[axis]
    if channels <= given:
        return weights.narrow(axis, 0, channels), f"the first {channels} of {given} channels kept"
    mean = weights.mean(dim=axis, keepdim=True)
    scale = 1.0 if weights.ndim == 1 else _strength(weights, mean, axis)
    extra = (mean * scale).expand(*(channels - given if d == axis else n for d, n in enumerate(weights.shape)))
    how = f"{given} channels kept, {channels - given} more = their mean x {scale:.3f}"
    return torch.cat([weights, extra], dim=axis), how


def channel_axes(network: Network) -> dict[str, int]:
    """Find the tensors that carry image channels, and along which axis: those that one more channel would enlarge."""
    channels, *sides = network.spec.shape
    with torch.device("meta"):
        larger = type(network)(replace(network.spec, shape=(channels + 1, *sides))).state_dict()  # type: ignore[arg-type]
    axes = {}
    for name, tensor in network.state_dict().items():
        grown = [axis for axis, n in enumerate(tensor.shape) if larger[name].shape[axis] == n + 1]
        axes.update({name: grown[0]} if grown else {})
    return axes


def _kind(network: Network) -> str:
    return network.spec.kind if isinstance(network, Generator) else "a discriminator"


def _blocks(names: Mapping[str, Tensor]) -> int:
    """How many blocks a discriminator has, whose index counts from the finest; 0 for a generator."""
    found = [re.match(r"blocks\.(\d+)\.", name) for name in names]
    return max((int(match[1]) + 1 for match in found if match), default=0)


def _place(name: str, blocks: int) -> str:
    """A tensor's name with a discriminator's blocks counted from the coarse end, where networks of all sizes agree."""
    return re.sub(r"^blocks\.(\d+)\.", lambda match: f"blocks.{int(match[1]) - blocks}.", name)


def _fits(given: Tensor, wanted: Tensor, axis: int) -> bool:
    """Whether two shapes differ along the channel axis only."""
    same = [a == b for d, (a, b) in enumerate(zip(given.shape, wanted.shape, strict=False)) if d != axis]
    return given.ndim == wanted.ndim and all(same)


def _strength(weights: Tensor, mean: Tensor, axis: int) -> float:
    """Ratio of the channels' rms norm to their mean's, at most sqrt(C)."""
    channels = weights.shape[axis]
    rms = weights.double().square().sum().div(channels).sqrt()
    norm = mean.double().norm()
    return float(rms / norm) if norm * channels**0.5 > rms else channels**0.5


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one value"
