# SPDX-License-Identifier: Apache-2.0
"""The weights that a new run begins with: another run's (--finetune) or a NVIDIA snapshot's, what fits of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from patches.errors import UserError
from patches.runs import tensorfile
from patches.runs.assemble import Assembly
from patches.runs.directory import NETWORK, STATE
from patches.runs.resume import newest
from patches.runs.directory import Run
from stylegan3.training.trainer import NETWORKS, Trainer

Weights = dict[str, dict[str, Tensor]]


def beginning(source: str, assembly: Assembly) -> Callable[[Trainer], list[str]]:
    raise UserError("todo")
