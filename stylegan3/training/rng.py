# SPDX-License-Identifier: Apache-2.0
"""Randomness derived anew for each use from what it is for: nothing to save, nothing to lose on resume.

A draw depends on (seed, phase, images shown + group) alone, so that neither an interruption, nor the number of rounds
under --batch-gpu, nor the number of ranks changes what is computed.
"""

import hashlib

import torch


def generator(*key: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator seeded by the hash of `key`."""
    seed = int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest(), "little")
    return torch.Generator(device).manual_seed(seed >> 1)
