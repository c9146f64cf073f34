# SPDX-License-Identifier: Apache-2.0
"""The order of the data, from (seed, epoch) alone, and batches read ahead of their use.

Position q of a run (images shown so far) is item order(seed, q // n)[q % n]: a resumed run goes on at the same place.
"""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from stylegan3.training.rng import generator
from stylegan3.training.setup import Dataset


@lru_cache(maxsize=4)
def order(items: int, seed: int, epoch: int) -> np.ndarray:
    """Return the permutation of `items` indices that an epoch goes through. Shape: [items], int64."""
    return torch.randperm(items, generator=generator(seed, "order", epoch)).numpy()


def positions_to_items(positions: np.ndarray, items: int, seed: int) -> np.ndarray:
    """Return the items at positions of a run. Shape: [N] -> [N]."""
    chosen = np.empty_like(positions)
    for epoch in np.unique(positions // items):
        here = positions // items == epoch
        chosen[here] = order(items, seed, int(epoch))[positions[here] % items]
    return chosen


def batches(
    dataset: Dataset, batch: int, seed: int, images: int, workers: int, places: np.ndarray, *, pinned: bool = False
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Yield (pictures as stored [N, ...], labels [N, K]) without end, from position `images` on.

    Args:
        batch: pictures an iteration takes.
        workers: batches read ahead, one thread each (reading and decoding release Python's lock); 0 reads in place.
        places: in the batch, of the N pictures wanted, in the order wanted.
        pinned: in memory from which a GPU copies by itself.
    """

    def read(first: int) -> tuple[Tensor, Tensor]:
        indices = positions_to_items(first + places, len(dataset), seed)
        found = dataset.pictures(indices), dataset.labels(indices)
        return (_pinned(found[0]), _pinned(found[1])) if pinned else found

    if workers == 0:
        while True:
            yield read(images)
            images += batch
    with ThreadPoolExecutor(workers, thread_name_prefix="data") as pool:
        ahead: deque[Future[tuple[Tensor, Tensor]]] = deque()
        try:
            while True:
                while len(ahead) < workers:
                    ahead.append(pool.submit(read, images))
                    images += batch
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _pinned(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_cuda else tensor.pin_memory()
