# SPDX-License-Identifier: Apache-2.0
"""What an encoder is: sounds [N, 1 or 2, L] at a rate -> embeddings [N, d] float32, one vector a sound.

How an encoder makes one vector of a sound of any length, and what it does with a short one, stands in its `what`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from spect.audio import resample

BATCH_SAMPLES = 2**21  # of a call of the inner function: memory doesn't grow with the number of sounds


@dataclass(frozen=True)
class Encoder:
    """An encoder by name; called, it gives embeddings.

    Args:
        name: what it is asked for by: log-mel, waveform, musicnn, speech, a file's name, ...
        version: what gave the numbers; embeddings of different versions can't be compared.
        what: in words: what it sees, how frames become one vector, what happens to a short sound.
        function: sounds [n, 1 or 2, L] float32, rate in Hz -> [n, d].
    """

    name: str
    version: str
    what: str
    function: Callable[[Tensor, int], Tensor]

    @torch.no_grad()
    def __call__(self, sounds: Tensor, rate: int) -> Tensor:
        """Embed sounds, some at a time, on their device.

        Shape: [N, 1 or 2, L] -> [N, d] float32.

        Raises:
            UserError: no sounds, sounds of another shape, NaN or Inf in a sound or an embedding.
        """
        if sounds.ndim != 3 or sounds.shape[1] not in (1, 2) or 0 in sounds.shape:
            raise UserError(f"{self.name}: encodes sounds [at least 1, 1 or 2, L], got {list(sounds.shape)}")
        size = max(1, BATCH_SAMPLES // sounds[0].numel())
        return torch.cat([self._part(part, rate) for part in sounds.split(size)])

    def _part(self, sounds: Tensor, rate: int) -> Tensor:
        if not bool(torch.isfinite(sounds).all()):
            raise UserError(f"{self.name}: a sound holds NaN or Inf; leave it out first (levels()['finite'])")
        out = self.function(sounds.float(), rate).float().to(sounds.device)
        if out.ndim != 2 or out.shape[0] != sounds.shape[0]:
            raise UserError(f"{self.name}: {sounds.shape[0]} sounds became {list(out.shape)}, [N, d] was wanted")
        if not bool(torch.isfinite(out).all()):
            raise UserError(f"{self.name}: an embedding holds NaN or Inf; take another encoder")
        return out


def mono(sounds: Tensor, rate: int, wanted: int) -> Tensor:
    """Mix to mono and bring to another rate (spect.audio.resample). Shape: [N, 1 or 2, L] -> [N, L']."""
    mixed = sounds.mean(1)
    if rate == wanted:
        return mixed
    rows = [resample(row[None], rate, wanted)[0] for row in mixed.cpu().numpy()]
    return torch.from_numpy(np.stack(rows)).to(sounds.device)
