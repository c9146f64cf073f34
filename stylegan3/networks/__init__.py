# SPDX-License-Identifier: Apache-2.0
"""Generators and the discriminator: a spec describes one, build_* makes it."""

from stylegan3.networks.discriminator import Discriminator
from stylegan3.networks.generator import Generator, build_discriminator, build_generator
from stylegan3.networks.moments import Moments
from stylegan3.networks.specs import DiscriminatorSpec, GeneratorSpec
from stylegan3.networks.ways import compute_with

__all__ = [
    "Discriminator",
    "DiscriminatorSpec",
    "Generator",
    "GeneratorSpec",
    "Moments",
    "build_discriminator",
    "build_generator",
    "compute_with",
]
