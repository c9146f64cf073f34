# SPDX-License-Identifier: Apache-2.0
"""Points in W that seeds name: a seed's own, one on the way to another seed's, one with another's in some layers.

    w_l = lerp(w_l(seed), w_l(other), amount)  in `layers`,  w_l(seed) in the rest            (after the mapping)

Style mixing is amount 1 in some layers (Karras et al. 2019, section 3.1), a morph is any amount in all. StyleGAN2's
noise goes along where the whole of W does, weighted by cos and sin of amount * pi / 2: both noises are N(0, 1) and
independent, so that the sum's variance stays 1 on the way and each end is that seed's own sound in every noise mode;
linear weights would thin it out to 1/2 halfway. Where only some layers change, it stays the seed's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from typing import Any

from patches.generate.choices import MAXIMUM_SEED

MOST_LETTERS = 60  # of a list of numbers in a file's name


@dataclass(frozen=True, slots=True)
class Point:
    """What one sound is made from.

    Args:
        seed: whose W (and noise) it starts from.
        other: the seed whose W is mixed in; None for none.
        amount: how far to go to `other`, from 0 to 1.
        layers: where; None is everywhere, and the noise goes along.
        name: the stem of its files; empty: by its seed.

    Raises:
        ValueError: a seed, an amount or a layer that can't be.
    """

    seed: int
    other: int | None = None
    amount: float = 0.0
    layers: tuple[int, ...] | None = None
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not all(0 <= seed <= MAXIMUM_SEED for seed in (self.seed, self.other or 0)):
            raise ValueError(f"seed {self.seed}, {self.other}: allowed are 0 to 2^63-1")
        if not 0 <= self.amount <= 1:
            raise ValueError(f"amount {self.amount}: allowed are 0 to 1")
        if any(layer < 0 for layer in self.layers or ()):
            raise ValueError(f"layers {self.layers}: they count from 0")

    @property
    def stem(self) -> str:
        """What its files are called, before what the settings add."""
        return self.name or f"seed{self.seed:04d}"

    @property
    def told(self) -> str:
        """How a line names it."""
        return self.name or f"seed {self.seed}"

    @property
    def is_plain(self) -> bool:
        """Whether it is a seed's own sound under the seed's own name."""
        return self.other is None and not self.name

    @property
    def chance(self) -> int:
        """The seed that a decoder draws chance phases from: that of the first, of the other where it is reached."""
        reached = self.other is not None and self.layers is None and self.amount == 1
        return self.other if reached and self.other is not None else self.seed

    def noise_weights(self) -> tuple[float, float]:
        """What the seed's noise and the other's count; their squares sum to 1."""
        if self.other is None or self.layers is not None or self.amount == 0:
            return 1.0, 0.0
        if self.amount == 1:
            return 0.0, 1.0
        return math.cos(self.amount * math.pi / 2), math.sin(self.amount * math.pi / 2)

    def layer_weights(self, num_ws: int) -> list[float]:
        """How far each of a network's layers goes to the other's W."""
        if self.layers is None:
            return [self.amount] * num_ws
        return [self.amount if layer in self.layers else 0.0 for layer in range(num_ws)]

    def to_dict(self) -> dict[str, Any]:
        """Give what makes it, as JSON types; its name is left out."""
        layers = None if self.layers is None else list(self.layers)
        return {"seed": self.seed, "other": self.other, "amount": self.amount, "layers": layers}


def point_from(values: int | Mapping[str, Any], name: str = "") -> Point:
    """Read a seed alone or `Point.to_dict`'s form back.

    Raises:
        KeyError, TypeError, ValueError: neither.
    """
    if not isinstance(values, Mapping):
        return Point(int(values), name=name)
    other, layers = values["other"], values["layers"]
    return Point(
        seed=int(values["seed"]),
        other=None if other is None else int(other),
        amount=float(values["amount"]),
        layers=None if layers is None else tuple(int(layer) for layer in layers),
        name=name,
    )


def numbers_in_name(numbers: Sequence[int]) -> str:
    """Write numbers for a file's name: 0-4, 1+5-8; a long list as its first, how many more, and its hash."""
    runs = [list(group) for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    spans = [(run[0][1], run[-1][1]) for run in runs]
    text = "+".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
    if len(text) <= MOST_LETTERS:
        return text
    return f"{numbers[0]}+{len(numbers) - 1}more-{sha256(text.encode()).hexdigest()[:8]}"
