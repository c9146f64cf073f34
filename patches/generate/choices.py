# SPDX-License-Identifier: Apache-2.0
"""What a person chooses on gen_audio's command line, read and checked before any work."""

import math
from dataclasses import dataclass, replace
from typing import Any, get_args

from patches.errors import UserError
from patches.generate.conditions import Chosen
from spect.wavfile import Subtype

MAXIMUM_SEED = 2**63 - 1  # what torch.Generator takes
MAXIMUM_SEEDS = 1_000_000  # a typing error, not a sweep
NOISE_MODES = ("const", "random", "none")
SUBTYPES: tuple[Subtype, ...] = get_args(Subtype)


def parse_numbers(text: str, option: str = "--seeds") -> tuple[int, ...]:
    """Read numbers like "0-9" or "1,2,5-8" of an option, in the order given, each once.

    Raises:
        UserError: anything else, a range that runs backwards, or more than a million numbers.
    """
    numbers: dict[int, None] = {}
    for part in text.split(","):
        try:
            numbers.update(dict.fromkeys(_range(part.strip())))
            if len(numbers) > MAXIMUM_SEEDS:
                raise ValueError("more than a million")
        except ValueError as error:
            raise UserError(f"{option}={text}: {error}; give numbers and ranges like 0-9 or 1,2,5-8") from None
    return tuple(numbers)


def _range(part: str) -> range:
    first, dash, last = (piece.strip() for piece in part.partition("-"))
    if not _is_number(first) or (dash and not _is_number(last)):
        raise ValueError(f"'{part}' is neither a number nor a range")
    low, high = int(first), int(last or first)
    if high < low:
        raise ValueError(f"the range {part} runs backwards")
    if high > MAXIMUM_SEED or high - low >= MAXIMUM_SEEDS:
        raise ValueError(f"{part} is more than a million or above 2^63-1")
    return range(low, high + 1)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def parse_shift(text: str) -> tuple[float, float]:
    """Read "X,Y", a shift to the right and down in shorter sides of the picture."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise UserError(
            f"--translate={text}: give two numbers like 0.25,0 (right and down, in the picture's shorter sides)"
        )
    return x, y


@dataclass(frozen=True)
class Settings:
    """What, beside network and seed, decides how a sound sounds.

    | field | default | meaning |
    |---|---|---|
    | psi | 1 | truncation: 1 none, 0 the average sound |
    | noise_mode | random | StyleGAN2's noise: drawn by each seed, one trained picture for all, or none |
    | condition | None | what a conditional network is asked for; None: unconditional |
    | shift, rotate | 0 | StyleGAN3's input: shorter sides to the right and down, degrees anticlockwise |
    """

    psi: float = 1.0
    noise_mode: str = "random"
    condition: Chosen | None = None
    shift: tuple[float, float] = (0.0, 0.0)
    rotate: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.psi):
            raise UserError(f"--trunc={self.psi}: give a finite number; 1 is none, 0.7 usual, 0 the average sound")
        if self.noise_mode not in NOISE_MODES:
            raise UserError(f"--noise-mode={self.noise_mode}: allowed are {', '.join(NOISE_MODES)}")
        if not math.isfinite(self.rotate):
            raise UserError(f"--rotate={self.rotate}: give a finite number of degrees")

    @property
    def moves(self) -> bool:
        """Whether StyleGAN3's input is shifted or turned."""
        return self.shift != (0.0, 0.0) or self.rotate != 0.0

    def with_condition(self, condition: Chosen | None) -> "Settings":
        return replace(self, condition=condition)

    def suffix(self) -> str:
        """Return what file names add for each choice that isn't the default, so that sweeps don't overwrite others."""
        parts = []
        if self.psi != 1:
            parts.append(f"psi{_short(self.psi)}")
        if self.condition is not None and (text := self.condition.suffix()):
            parts.append(text)
        if self.noise_mode != "random":
            parts.append("nonoise" if self.noise_mode == "none" else "const")
        if self.moves:
            parts.append(f"x{self.shift[0]:g}y{self.shift[1]:g}r{self.rotate:g}")
        return "".join(f"_{part}" for part in parts)

    def to_dict(self) -> dict[str, Any]:
        return {"psi": self.psi, "noise_mode": self.noise_mode, "translate": list(self.shift), "rotate": self.rotate}


def _short(psi: float) -> str:
    two = f"{psi:.2f}"
    return two if float(two) == psi else repr(psi)


@dataclass(frozen=True)
class Output:
    """How a sound is written: subtype PCM_16|PCM_24|FLOAT, tail trimmed or not, the canvas beside it as .npy or not."""

    subtype: Subtype = "PCM_24"
    trim: bool = False
    npy: bool = False


def check_subtype(name: str) -> Subtype:
    """Return a sample format that write_wav knows.

    Raises:
        UserError: it knows no such format.
    """
    for subtype in SUBTYPES:
        if name == subtype:
            return subtype
    raise UserError(f"--subtype={name}: allowed are {', '.join(SUBTYPES)}")
