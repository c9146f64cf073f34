# SPDX-License-Identifier: Apache-2.0
"""A generator: mapping z -> w and synthesis w -> picture, of the kind that its spec names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stylegan3.networks.alias_free import AliasFreeSynthesis
from stylegan3.networks.discriminator import Discriminator
from stylegan3.networks.mapping import Mapping
from stylegan3.networks.moments import Moments
from stylegan3.networks.skip import Noise, SkipSynthesis
from stylegan3.networks.specs import DiscriminatorSpec, GeneratorSpec


class Generator(nn.Module):
    """Latents z [N, Z] and labels c [N, K] -> pictures [N, C, F, T], float32 in model space.

    ``num_ws`` is the number of layers that take their own w; ``noise_size`` the noise values a picture (0 where the
    kind has no noise).
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        self.spec = spec
        self.synthesis = SkipSynthesis(spec) if spec.kind == "stylegan2" else AliasFreeSynthesis(spec)
        self.num_ws: int = self.synthesis.num_ws
        self.noise_size: int = self.synthesis.noise_size
        self.mapping = Mapping(spec.z_dim, spec.c_dim, spec.w_dim, spec.mapping_layers, self.num_ws, spec.embed_dim)

    def reset(self, rng: torch.Generator) -> None:
        """Draw all weights and constants."""
        self.mapping.reset(rng)
        self.synthesis.reset(rng)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise: Noise = "const",
        moments: Moments | None = None,
    ) -> Tensor:
        """Make pictures from latents; see Mapping.forward for psi and cutoff.

        Args:
            noise: 'const', 'none', or values [N, noise_size].
            moments: where running averages' sums go; given in training's one pass that moves them.
        """
        ws = self.mapping(z, c, psi=psi, cutoff=cutoff, moments=moments)
        picture: Tensor = self.synthesis(ws, noise=noise, moments=moments)
        return picture

    def update_averages(self, moments: Moments) -> None:
        """Move the running averages (mean w, magnitudes) once from an iteration's sums."""
        self.mapping.update_averages(moments)
        self.synthesis.update_averages(moments)


def build_generator(spec: GeneratorSpec, rng: torch.Generator) -> Generator:
    """Build a generator with weights drawn from ``rng``."""
    network = Generator(spec)
    network.reset(rng)
    return network


def build_discriminator(spec: DiscriminatorSpec, rng: torch.Generator) -> Discriminator:
    """Build a discriminator with weights drawn from ``rng``."""
    network = Discriminator(spec)
    network.reset(rng)
    return network
