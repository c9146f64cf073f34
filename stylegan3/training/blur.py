# SPDX-License-Identifier: Apache-2.0
"""The blur with which config R begins: D sees only coarse structure at first (Karras et al. 2021, section 3.2)."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from stylegan3.training.setup import Hyperparameters


def blur_sigma(hyper: Hyperparameters, images: int) -> float:
    """Return the width after so many images: falling linearly to 0 over blur_kimg."""
    if hyper.blur_sigma == 0 or hyper.blur_kimg == 0:
        return 0.0
    return max(1 - images / (hyper.blur_kimg * 1000), 0.0) * hyper.blur_sigma


def _radius(hyper: Hyperparameters, images: int) -> int:
    return int(3 * blur_sigma(hyper, images))


def blurs(hyper: Hyperparameters, images: int) -> bool:
    """Return whether `blur` changes anything after so many images."""
    return _radius(hyper, images) > 0


def blur(pictures: Tensor, hyper: Hyperparameters, images: int) -> Tensor:
    """Filter with 2^-(x/sigma)^2 over both axes; as they are once sigma is below a third of a pixel.

    Shape: [N, C, F, T] -> the same.
    """
    if not blurs(hyper, images):
        return pictures
    sigma, radius = blur_sigma(hyper, images), _radius(hyper, images)
    x = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp2(-((x / sigma) ** 2))
    kernel = kernel / kernel.sum()
    channels = pictures.flatten(0, 1).unsqueeze(1)
    rows = conv2d(channels, kernel[None, None, :, None], padding=(radius, 0))
    return conv2d(rows, kernel[None, None, None, :], padding=(0, radius)).view_as(pictures)
