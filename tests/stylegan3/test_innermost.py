# SPDX-License-Identifier: Apache-2.0
"""Where a card's channels lie is measured, once, and only where results may depend on measuring."""

from collections.abc import Iterator

import pytest
import torch

from stylegan3.networks.layers import channels_innermost, laid_out
from stylegan3.ops import innermost

CARD = torch.device("cuda")
CPU = torch.device("cpu")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[torch.device, torch.dtype]]]:
    """A card whose convolutions in bfloat16 are 1.5 times as fast with channels innermost, in float32 1.04 times."""
    asked = []

    def found(device: torch.device, kind: torch.dtype, shape: tuple[int, ...]) -> dict[str, float]:
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


def test_both_layouts_are_timed_whoever_asks() -> None:
    with torch.inference_mode():
        found = innermost.milliseconds(CPU, torch.float32, (2, 4, 8, 8))
    assert list(found) == ["outermost", "innermost"]
    assert all(value > 0 for value in found.values())


def test_on_a_cpu_a_batch_has_its_channels_innermost(measured: list[tuple[torch.device, torch.dtype]]) -> None:
    assert channels_innermost(torch.zeros(4, 2, 3, 3))
    assert not channels_innermost(torch.zeros(3, 2, 3, 3))
    assert laid_out(torch.zeros(4, 2, 3, 3)).is_contiguous(memory_format=torch.channels_last)
    assert not channels_innermost(torch.zeros(4, 2, 3, 3, device="meta"))
    assert measured == []
