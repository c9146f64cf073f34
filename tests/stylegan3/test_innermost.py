# SPDX-License-Identifier: Apache-2.0
"""Where a card's channels lie is measured, once, and only where results may depend on measuring."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from stylegan3.networks.layers import channels_innermost, laid_out
from stylegan3.ops import innermost, modulation

CARD = torch.device("cuda")
CPU = torch.device("cpu")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[torch.device, torch.dtype]]]:
    """A card whose convolutions in bfloat16 are 1.5 times as fast with channels innermost, in float32 1.04 times."""
    asked = []

    def found(device: torch.device, kind: torch.dtype, shape: tuple[int, ...], way: Any) -> dict[str, float]:
        asked.append((device, kind))
        return {"outermost": 1.5 if kind == torch.bfloat16 else 1.04, "innermost": 1.0}

    monkeypatch.setattr(innermost, "milliseconds", found)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    innermost.gain.cache_clear()
    yield asked
    innermost.gain.cache_clear()


def test_a_card_is_asked_once_for_each_type(measured: list[tuple[torch.device, torch.dtype]]) -> None:
    for _ in range(2):
        assert innermost.pays(CARD, torch.bfloat16)
        assert not innermost.pays(CARD, torch.float32)  # two measurements may differ by as much
    assert measured == [(CARD, torch.bfloat16), (CARD, torch.float32)]
    assert innermost.told(CARD, torch.bfloat16).startswith("channels innermost (measured: convolutions run 1.50x")
    assert innermost.told(CARD, torch.float32).startswith("channels outermost (measured: convolutions run 1.04x")


def test_nothing_is_measured_where_nothing_may_be_chosen_so(
    measured: list[tuple[torch.device, torch.dtype]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not innermost.pays(torch.device("meta"), torch.bfloat16)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)  # --nobench
    assert not innermost.pays(CARD, torch.bfloat16)
    assert innermost.told(CARD, torch.bfloat16) == "channels outermost (nothing may be chosen by measuring)"
    assert measured == []


@pytest.mark.parametrize("way", [innermost.convolved, modulation.turned])
def test_both_layouts_are_timed_whoever_asks(way: innermost.Way) -> None:
    with torch.inference_mode():
        found = innermost.milliseconds(CPU, torch.float32, (2, 4, 8, 8), way)
    assert list(found) == ["outermost", "innermost"]
    assert all(value > 0 for value in found.values())


def test_on_a_cpu_a_batch_has_its_channels_innermost(measured: list[tuple[torch.device, torch.dtype]]) -> None:
    assert channels_innermost(torch.zeros(4, 2, 3, 3))
    assert not channels_innermost(torch.zeros(3, 2, 3, 3))
    assert laid_out(torch.zeros(4, 2, 3, 3)).is_contiguous(memory_format=torch.channels_last)
    assert not channels_innermost(torch.zeros(4, 2, 3, 3, device="meta"))
    assert measured == []


def test_pictures_are_turned_for_a_card_where_that_pays(measured: list[tuple[torch.device, torch.dtype]]) -> None:
    """Not what lies so already, nor for a 1x1 convolution, nor where torch's own operations are asked for."""
    w, small = torch.zeros(3, 3, 3, 3), torch.zeros(3, 3, 1, 1)
    assert not modulation.turns(torch.zeros(2, 3, 4, 4, dtype=torch.bfloat16), w, "auto")  # on a CPU
    assert measured == []
    with FakeTensorMode():
        x = torch.zeros(2, 3, 4, 4, dtype=torch.bfloat16, device="cuda")
        exact = torch.zeros(2, 3, 4, 4, device="cuda")
        there = torch.empty(2, 3, 4, 4, dtype=x.dtype, device="cuda", memory_format=torch.channels_last)
    assert modulation.turns(x, w, "auto")
    assert not modulation.turns(x, small, "auto")
    assert not modulation.turns(x, w, "plain")
    assert not modulation.turns(there, w, "auto")
    assert not modulation.turns(exact, w, "auto")  # 1.04 times as fast
