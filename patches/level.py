# SPDX-License-Identifier: Apache-2.0
"""The level that an untrained generator starts at: the data's.

Pictures fill [-1, 1] with a standard deviation of about 0.5, and an untrained generator makes values of about that or
more. Companded sounds have 0.05 to 0.25: most of a canvas is near silence. A generator that starts at 1 makes sounds
40 dB too loud, and spends its first thousands of pictures on becoming quiet, losing its diversity on the way. So the
weights (not the biases, which are 0) of its output layers are scaled once, by one factor, before the first iteration.
"""

import torch
from torch import Tensor

from patches.transfer import channel_axes
from stylegan3.training.samples import fakes, reals
from stylegan3.training.trainer import Trainer

PICTURES, FEW = 32, 4  # measured over; fewer of the network's where each takes a CPU ten seconds
LARGE = 256 * 256


@torch.no_grad()
def start_at_data_level(trainer: Trainer) -> list[str]:
    """Scale G's and G_ema's output layers so that their pictures have the data's standard deviation; say so."""
    _, rows, columns = trainer.setup.dataset.shape
    count = PICTURES if rows * columns < LARGE else FEW
    real = reals(trainer.setup, "output level", PICTURES, trainer.device)
    fake = fakes(trainer.generator, trainer.setup, "output level", count)
    wanted, found = (float(deviation(pictures)) for pictures in (real, fake))
    factor = wanted / found
    for network in (trainer.generator, trainer.mean_generator):
        weights = dict(network.named_parameters())
        for name in channel_axes(network):
            weights[name].mul_(factor)
    return [f"Output level: the data's deviation is {wanted:.3f}, the untrained network's {found:.3f}: scaled to it"]


def deviation(pictures: Tensor) -> Tensor:
    """Return the root mean square over everything. Shape: [N, C, F, T] -> []."""
    return pictures.double().square().mean().sqrt()
