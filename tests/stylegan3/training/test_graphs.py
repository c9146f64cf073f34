# SPDX-License-Identifier: Apache-2.0
"""What Graphs asks of torch where a capture fails, or its graphs are gone: a card that does nothing but keep books."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stylegan3.training.phases import Found
from stylegan3.training.recorded import Graphs

GB = 2**30


class Card:
    """Stands in for torch.cuda: streams and pools are numbers, memory is what is said here."""

    def __init__(self) -> None:
        self.stream: Any = "default"
        self.pools = 0
        self.used: list[int] = []  # pools of captures
        self.ended: list[tuple[int, int]] = []  # pools that the allocator was told of
        self.lives, self.most, self.reserved, self.free = 1 * GB, 5 * GB, 1 * GB, 10 * GB
        self.refuses_to_end = False

    def handle(self) -> int:
        self.pools += 1
        return self.pools

    @contextmanager
    def graph(self, graph: Any, pool: int, stream: Any, capture_error_mode: str) -> Iterator[None]:
        """As torch's: what raises at the end hides what raised before, and leaves its stream the current one."""
        assert capture_error_mode == "thread_local"
        self.used.append(pool)
        before, self.stream = self.stream, stream
        try:
            yield
        finally:
            if self.refuses_to_end:
                raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
            self.stream = before

    def end(self, index: int, pool: int) -> None:
        self.ended.append((index, pool))
        if not self.refuses_to_end:
            raise RuntimeError("not currently recording to mempool_id")


class Graph:
    """A graph that was captured."""

    def replay(self) -> None: ...


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    card = Card()
    cuda = {
        "current_device": lambda: 3, "Stream": lambda index, priority: ("own", index, priority),
        "graph_pool_handle": card.handle, "CUDAGraph": Graph, "graph": card.graph, "device": nullcontext,
        "current_stream": lambda: card.stream, "set_stream": lambda stream: setattr(card, "stream", stream),
        "memory_allocated": lambda index: card.lives, "max_memory_allocated": lambda index: card.most,
        "memory_reserved": lambda index: card.reserved, "mem_get_info": lambda index: (card.free, 80 * GB),
    }  # fmt: skip
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(**cuda))
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", card.end, raising=False)
    return card


def nothing() -> Found:
    return Found()


def failing() -> Found:
    raise ValueError("what the passes say")


def test_graphs_share_a_pool_while_one_lives(card: Card) -> None:
    graphs = Graphs(torch.device("cuda"))
    kept = [graphs.record(nothing), graphs.record(nothing)]
    assert len(set(card.used)) == 1
    kept.clear()
    gc.collect()
    graphs.record(nothing)
    assert card.used[2] != card.used[1]  # torch has taken that one back


def test_a_capture_that_does_not_end_well_says_so(card: Card) -> None:
    card.refuses_to_end = True
    with pytest.raises(RuntimeError, match="operation failed"):
        Graphs(torch.device("cuda")).record(nothing)
    assert card.stream == "default"


@pytest.mark.parametrize("refuses", [True, False])
def test_a_capture_that_fails_leaves_the_stream_and_is_the_last_one(card: Card, refuses: bool) -> None:
    graphs = Graphs(torch.device("cuda", 1))
    card.refuses_to_end = refuses
    with pytest.raises(ValueError, match="what the passes say"):
        graphs.record(failing)
    assert card.stream == "default"
    assert card.ended == [(1, card.used[0])]
    with pytest.raises(RuntimeError, match="an earlier capture failed"):
        graphs.record(nothing)
    assert len(card.used) == 1


def test_what_does_not_fit_twice_is_not_captured(card: Card) -> None:
    graphs = Graphs(torch.device("cuda"))
    card.free = 7 * GB
    with pytest.raises(RuntimeError, match=r"twice 4.0 GB don't fit"):
        graphs.record(nothing)
    card.reserved = 3 * GB  # 2 of them graphs': the next ones go there
    graphs.record(nothing)
    assert len(card.used) == 1
