# SPDX-License-Identifier: Apache-2.0
"""--cache: a small archive wholly in memory or on the card, in the view that the network learns."""

import torch

from patches.console import progress
from patches.errors import UserError
from patches.runs.memory import GB, SHARE, free_memory
from stylegan3.training.cache import Cached, cache_bytes
from stylegan3.training.setup import Dataset

CPU = torch.device("cpu")


def taken_by_cache(dataset: Dataset, where: str, device: torch.device) -> float:
    """Return the bytes of a device's memory that --cache will take."""
    if where == "none" or place_of(where, device).type != device.type:
        return 0.0
    return float(cache_bytes(dataset))


def check_cache(dataset: Dataset, where: str, device: torch.device, processes: int) -> None:
    """See that there is room for what --cache wants, on each of the ranks that share this machine's memory.

    Raises:
        UserError: there isn't.
    """
    if where == "none":
        return
    place, needed = place_of(where, device), float(cache_bytes(dataset))
    room = SHARE * free_memory(place) / (processes if place.type == "cpu" else 1)
    if needed > room:
        others = "ram or none" if where == "device" and device.type == "cuda" else "none"
        each = f" for each of {processes} ranks" if processes > 1 else ""
        raise UserError(
            f"--cache={where}: {len(dataset)} pictures take {needed / GB:.2f} GB, {room / GB:.2f} GB are free{each}; "
            f"give --cache={others}"
        )


def cached(dataset: Dataset, where: str, device: torch.device, *, shown: bool) -> Dataset:
    """Return the dataset as --cache wants it: itself, or all of it in model space.

    Args:
        shown: with a bar, where a terminal is attached.
    """
    if where == "none":
        return dataset
    place = place_of(where, device)
    if not shown:
        return Cached(dataset, computed_on=device, kept_on=place)
    with progress("computing views", len(dataset), "pictures") as advance:
        return Cached(dataset, computed_on=device, kept_on=place, advance=advance)


def place_of(where: str, device: torch.device) -> torch.device:
    """Return the device that keeps the pictures."""
    return device if where == "device" else CPU
