# SPDX-License-Identifier: Apache-2.0
"""The three configurations of the papers in one visible table (facts: Karras et al. 2020, 2021, appendices)."""

from dataclasses import dataclass

from stylegan3.errors import NetworkError
from stylegan3.networks import DiscriminatorSpec, GeneratorSpec


@dataclass(frozen=True)
class Configuration:
    """Numbers that differ between the configurations; `widen` multiplies the generator's channel base and maximum."""

    mapping_layers: int
    g_lr: float
    style_mixing: float
    path_length_weight: float
    blur_sigma: float
    widen: int


CONFIGURATIONS = {
    "stylegan2": Configuration(8, 0.002, 0.9, 2.0, 0.0, 1),
    "stylegan3-t": Configuration(2, 0.0025, 0.0, 0.0, 0.0, 1),
    "stylegan3-r": Configuration(2, 0.0025, 0.0, 0.0, 10.0, 2),
}


def generator_spec(
    cfg: str,
    shape: tuple[int, int, int],
    *,
    c_dim: int,
    cbase: int,
    cmax: int,
    map_depth: int | None = None,
    z_dim: int = 512,
    w_dim: int = 512,
    embed_dim: int = 0,
    input_lock: str = "none",
    row_features: int = 0,
    row_gains: int = 0,
) -> GeneratorSpec:
    """Return the generator of a configuration for pictures [C, F, T].

    Raises:
        NetworkError: no such configuration, or a shape that it can't make.
    """
    if cfg not in CONFIGURATIONS:
        raise NetworkError(f"--cfg={cfg}: must be one of {', '.join(CONFIGURATIONS)}")
    numbers = CONFIGURATIONS[cfg]
    return GeneratorSpec(
        kind=cfg,
        shape=shape,
        z_dim=z_dim,
        c_dim=c_dim,
        w_dim=w_dim,
        embed_dim=embed_dim,
        mapping_layers=numbers.mapping_layers if map_depth is None else map_depth,
        channel_base=cbase * numbers.widen,
        channel_max=cmax * numbers.widen,
        input_lock=input_lock,
        row_features=row_features,
        row_gains=row_gains,
    )


def discriminator_spec(
    shape: tuple[int, int, int], *, c_dim: int, cbase: int, cmax: int, group: int, embed_dim: int = 0
) -> DiscriminatorSpec:
    """Return the discriminator, the same for every configuration."""
    widths = {"channel_base": cbase, "channel_max": cmax, "embed_dim": embed_dim}
    return DiscriminatorSpec(shape=shape, c_dim=c_dim, mbstd_group=group, **widths)


def suggested_gamma(cfg: str, shape: tuple[int, int, int], batch: int) -> float:
    """Return a first R1 weight to try: it grows with the number of pixels (facts: 0.5 at 128^2 ... 32 at 1024^2)."""
    pixels = shape[1] * shape[2]
    return 0.0002 * pixels / batch if cfg == "stylegan2" else 0.5 * pixels / 128**2
