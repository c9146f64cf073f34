# SPDX-License-Identifier: Apache-2.0
"""Where a card's channels lie is measured, once, and only where results may depend on measuring."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode

from stylegan3.networks.layers import channels_innermost, laid_out
from stylegan3.ops import innermost, modulation

CARD = torch.device("cuda")
CPU = torch.device("cpu")
Asked = tuple[torch.device, torch.dtype, innermost.Way]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Asked]]:
    """A card whose convolutions in bfloat16 are 1.5 times as fast with channels innermost, in float32 1.04 times."""
    asked: list[Asked] = []

    def found(device: torch.device, kind: torch.dtype, shape: tuple[int, ...], way: Any) -> dict[str, float]:
        asked.append((device, kind, way))
        return {"outermost": 1.5 if kind == torch.bfloat16 else 1.04, "innermost": 1.0}

    monkeypatch.setattr(innermost, "milliseconds", found)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    innermost._gain.cache_clear()
    yield asked
    innermost._gain.cache_clear()


def test_a_card_is_asked_once_for_each_type(measured: list[Asked]) -> None:
    first = torch.device("cuda", 0)
    for card in (CARD, first):  # the same one
        assert innermost.pays(card, torch.bfloat16)
        assert not innermost.pays(card, torch.float32)  # two measurements may differ by as much
    assert measured == [(first, kind, innermost.convolved) for kind in (torch.bfloat16, torch.float32)]
    assert innermost.told(CARD, torch.bfloat16).startswith("channels innermost (measured: convolutions run 1.50x")
    assert innermost.told(CARD, torch.float32).startswith("channels outermost (measured: convolutions run 1.04x")


def test_nothing_is_measured_where_nothing_may_be_chosen_so(
    measured: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not innermost.pays(torch.device("meta"), torch.bfloat16)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)  # --nobench
    assert not innermost.pays(CARD, torch.bfloat16)
    assert innermost.told(CARD, torch.bfloat16) == "channels outermost (nothing may be chosen by measuring)"
    assert measured == []


@pytest.mark.parametrize("way", [innermost.convolved, modulation.scaled_and_convolved])
def test_both_layouts_are_timed_whoever_asks(way: innermost.Way) -> None:
    with torch.inference_mode():
        found = innermost.milliseconds(CPU, torch.float32, (2, 4, 8, 8), way)
    assert list(found) == ["outermost", "innermost"]
    assert all(value > 0 for value in found.values())


def test_on_a_cpu_a_batch_has_its_channels_innermost(measured: list[Asked]) -> None:
    assert channels_innermost(torch.zeros(4, 2, 3, 3))
    assert not channels_innermost(torch.zeros(3, 2, 3, 3))
    assert laid_out(torch.zeros(4, 2, 3, 3)).is_contiguous(memory_format=torch.channels_last)
    assert not channels_innermost(torch.zeros(4, 2, 3, 3, device="meta"))
    assert measured == []


def test_pictures_are_turned_for_a_card_where_that_pays(measured: list[Asked]) -> None:
    """Not what lies so already, nor for a 1x1 convolution, nor where torch's own operations are asked for."""
    w, small = torch.zeros(3, 3, 3, 3), torch.zeros(3, 3, 1, 1)
    assert not modulation.turns(torch.zeros(2, 3, 4, 4, dtype=torch.bfloat16), w, "auto")  # on a CPU
    assert measured == []
    with FakeTensorMode():
        x = torch.zeros(2, 3, 4, 4, dtype=torch.bfloat16, device="cuda")
        exact = torch.zeros(2, 3, 4, 4, device="cuda")
        there = torch.empty(2, 3, 4, 4, dtype=x.dtype, device="cuda", memory_format=torch.channels_last)
    assert modulation.turns(x, w, "auto")
    assert measured == [(torch.device("cuda", 0), torch.bfloat16, modulation.scaled_and_convolved)]
    assert not modulation.turns(x, small, "auto")
    assert not modulation.turns(x, w, "plain")
    assert not modulation.turns(there, w, "auto")
    assert not modulation.turns(exact, w, "auto")  # 1.04 times as fast


def test_pictures_are_convolved_in_the_layout_that_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not a kernel scales them."""
    seen = []

    def convolve(x: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
        seen.append(x.is_contiguous(memory_format=torch.channels_last))
        return F.conv2d(x, *given, **named)

    monkeypatch.setattr(modulation, "F", SimpleNamespace(conv2d=convolve))
    x, w, scale = torch.ones(2, 3, 5, 4), torch.ones(3, 3, 3, 3), torch.full((2, 3), 2.0)
    for layout in (torch.contiguous_format, torch.channels_last):
        y = modulation.scaled_and_convolved(x, w, scale, layout)
        assert y.is_contiguous()
        assert y[0, 0, 1, 1] == 27 * 4
        assert modulation.scaled(x, scale, impl="plain", to=layout).is_contiguous(memory_format=layout)
    assert seen == [False, True]
