# SPDX-License-Identifier: Apache-2.0
"""What a network is made of: frozen, validated descriptions from which the same network can be built again.

Sizes are (C, F, T): channels, rows, columns. The smaller of F and T is N, which sets rates and filters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar, get_args

from stylegan3.errors import NetworkError

GeneratorKind = Literal["stylegan3-t", "stylegan3-r", "stylegan2"]
KINDS: tuple[str, ...] = get_args(GeneratorKind)
INPUT_LOCKS: dict[str, tuple[int, ...]] = {"none": (), "rotation": (0, 1), "frequency": (3,), "both": (0, 1, 3)}
"""Which of cosine, sine, shift along the columns and along the rows w doesn't set in StyleGAN3's Fourier input."""
Spec = TypeVar("Spec", "GeneratorSpec", "DiscriminatorSpec")


def check_shape(shape: Any) -> tuple[int, int, int]:
    """Return a shape (C, F, T) that the networks can be built for.

    Raises:
        NetworkError: unless C >= 1, min(F, T) is a power of two from 16 and the larger side a multiple of it.
    """
    try:
        c, f, t = (int(v) for v in shape)
    except (TypeError, ValueError):
        raise NetworkError(f"shape {shape}: three whole numbers (channels, rows, columns) are needed") from None
    small, large = min(f, t), max(f, t)
    if c < 1 or small < 16 or small & (small - 1) or large % small:
        raise NetworkError(
            f"shape {c}x{f}x{t}: the smaller side must be a power of two from 16 up and the larger a multiple of it"
        )
    return c, f, t


def start_grid(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the size of the coarsest grid, 4 x 4 for a square: (4F/N, 4T/N)."""
    n = min(shape[1:])
    return 4 * shape[1] // n, 4 * shape[2] // n


def check_positive(spec: GeneratorSpec | DiscriminatorSpec, *names: str) -> None:
    """Raise NetworkError where a field isn't positive."""
    for name in names:
        if getattr(spec, name) <= 0:
            raise NetworkError(f"{name} {getattr(spec, name)}: must be above 0")


def check_width(spec: GeneratorSpec | DiscriminatorSpec) -> None:
    """Raise NetworkError where the finest layer would have no channel."""
    if spec.channel_base < min(spec.shape[1:]):
        raise NetworkError(
            f"channel_base {spec.channel_base}: at least {min(spec.shape[1:])}, the smaller side, is needed"
        )


def from_fields(cls: type[Spec], values: Mapping[str, Any]) -> Spec:
    """Build a spec from a dict as to_dict made it, naming keys that don't belong there."""
    unknown = sorted(set(values) - {f.name for f in fields(cls)})
    if unknown:
        raise NetworkError(f"{cls.__name__}: unknown settings {', '.join(unknown)}: made by another version?")
    try:
        return cls(**values)
    except TypeError as error:
        raise NetworkError(f"{cls.__name__}: {error}") from None


def plain(spec: GeneratorSpec | DiscriminatorSpec) -> dict[str, Any]:
    """Return a spec as values that JSON can hold."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(spec).items()}


@dataclass(frozen=True)
class GeneratorSpec:
    """A generator's description.

    Args:
        kind: 'stylegan3-t', 'stylegan3-r' (1x1 kernels, radial filters) or 'stylegan2'.
        mapping_layers: fully connected layers from z to w; 0 takes the kind's own number (2, or 8 for stylegan2).
        channel_base: channels x resolution at full width (the published R networks: 65536, with channel_max 1024).
        embed_dim: width of a label's embedding; 0 takes w_dim, as published.
        first_cutoff: StyleGAN3's first band limit in cycles across the canvas; the other numbers as in the paper.
        clamp: largest absolute activation of StyleGAN3's layers.
        input_lock: how w must not move StyleGAN3's Fourier input: 'rotation', 'frequency' (no shift along the F rows),
            'both' (only columns shift), or 'none' as published.
        row_features: learned profiles along the rows at StyleGAN3's Fourier input, below its band limit, that w doesn't
            move; 0 as published.
        row_gains: learned profiles from which each row and channel of the picture gets a gain and an offset; 0 as
            published.
    """

    kind: str
    shape: tuple[int, int, int]
    z_dim: int = 512
    c_dim: int = 0
    w_dim: int = 512
    mapping_layers: int = 0
    channel_base: int = 32768
    channel_max: int = 512
    num_layers: int = 14
    num_critical: int = 2
    first_cutoff: float = 2.0
    first_stopband: float = 2.0**2.1
    last_stopband_rel: float = 2.0**0.3
    margin: int = 10
    output_scale: float = 0.25
    filter_size: int = 6
    lrelu_upsampling: int = 2
    clamp: float = 256.0
    input_lock: str = "none"
    row_features: int = 0
    row_gains: int = 0
    embed_dim: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise NetworkError(f"generator {self.kind!r}: allowed are {', '.join(KINDS)}")
        object.__setattr__(self, "shape", check_shape(self.shape))
        if self.mapping_layers == 0:
            object.__setattr__(self, "mapping_layers", 8 if self.kind == "stylegan2" else 2)
        check_positive(self, "z_dim", "w_dim", "mapping_layers", "channel_base", "channel_max", "num_layers")
        check_width(self)
        check_positive(self, "first_cutoff", "margin", "output_scale", "filter_size", "lrelu_upsampling", "clamp")
        if self.embed_dim < 0:
            raise NetworkError(f"embed_dim {self.embed_dim}: can't be below 0")
        if self.c_dim < 0 or not 0 <= self.num_critical < self.num_layers:
            raise NetworkError(
                f"c_dim {self.c_dim}, num_critical {self.num_critical}: below 0, or not below num_layers"
            )
        self._check_rows()

    def _check_rows(self) -> None:
        if self.input_lock not in INPUT_LOCKS:
            raise NetworkError(f"input_lock {self.input_lock!r}: allowed are {', '.join(INPUT_LOCKS)}")
        if self.kind == "stylegan2" and self.input_lock != "none":
            raise NetworkError(f"input_lock {self.input_lock!r}: stylegan2 begins with a constant, which nothing moves")
        if self.row_features < 0 or self.row_gains < 0:
            raise NetworkError(f"row_features {self.row_features}, row_gains {self.row_gains}: can't be below 0")
        if self.kind == "stylegan2" and self.row_features:
            raise NetworkError(
                f"row_features {self.row_features}: stylegan2's constant has rows of its own; row_gains takes profiles"
            )

    @property
    def kernel(self) -> int:
        """Width of StyleGAN3's convolutions."""
        return 1 if self.kind == "stylegan3-r" else 3

    @property
    def size(self) -> int:
        """N, the smaller side."""
        return min(self.shape[1:])

    def to_dict(self) -> dict[str, Any]:
        """Return values that JSON can hold; from_dict gives the same spec."""
        return plain(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GeneratorSpec:
        """Build a spec from to_dict's result."""
        return from_fields(cls, values)


@dataclass(frozen=True)
class DiscriminatorSpec:
    """A discriminator's description.

    Args:
        mbstd_group: pictures a group of the minibatch standard deviation.
        mapping_layers: fully connected layers of the label's mapping, used where c_dim > 0.
        label_dim: width of that mapping; 0 takes the width of the coarsest block.
        embed_dim: width of the label's embedding before it; 0 takes the mapping's.
    """

    shape: tuple[int, int, int]
    c_dim: int = 0
    channel_base: int = 32768
    channel_max: int = 512
    mbstd_group: int = 4
    mapping_layers: int = 8
    label_dim: int = 0
    embed_dim: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", check_shape(self.shape))
        check_positive(self, "channel_base", "channel_max", "mbstd_group", "mapping_layers")
        check_width(self)
        if min(self.c_dim, self.label_dim, self.embed_dim) < 0:
            raise NetworkError("c_dim, label_dim, embed_dim: can't be below 0")

    @property
    def size(self) -> int:
        """N, the smaller side."""
        return min(self.shape[1:])

    def to_dict(self) -> dict[str, Any]:
        """Return values that JSON can hold; from_dict gives the same spec."""
        return plain(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DiscriminatorSpec:
        """Build a spec from to_dict's result."""
        return from_fields(cls, values)
