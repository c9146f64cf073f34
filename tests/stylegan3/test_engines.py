# SPDX-License-Identifier: Apache-2.0
"""Kernels serve only after they passed; what can't be had is told with its reason and its price."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops import engines, selftest
from stylegan3.ops.bias_act import scaled_bias_lrelu
from stylegan3.ops.blocks import Blocks, blocked, planes
from stylegan3.ops.filtered_lrelu import filtered_lrelu
from stylegan3.ops.interfaces import Kept, Kernels
from stylegan3.ops.layout import channels_last
from stylegan3.ops.native.build import BuildError
from stylegan3.ops.plans import Plan
from stylegan3.ops.resampling import resampled
from stylegan3.ops.tiles import Tiles
from stylegan3.ops.upfirdn import upfirdn2d

CPU = torch.device("cpu")


class Engine(Tiles):
    """A right engine under a name of its own."""

    name = "test"


class Loud(Engine):
    """Values too large by a thousandth."""

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, Kept]:
        y, kept = super().forward(x, b, plan, keep)
        return y * 1.001, kept


class Forgetful(Engine):
    """A gradient that takes all raised samples for positive."""

    def linear(self, g: Tensor, kept: Kept, plan: Plan, backward: bool) -> Tensor:
        return super().linear(g, kept, replace(plan, slope=1.0), backward)


class LoudInside(Engine):
    """Values too large by a thousandth of pictures whose channels lie innermost."""

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, Kept]:
        y, kept = super().forward(x, b, plan, keep)
        return 1.001 * y if channels_last(x) and x.shape[1] > 16 else y, kept


class ForgetfulInside(Engine):
    """A gradient of those that takes all raised samples for positive."""

    def linear(self, g: Tensor, kept: Kept, plan: Plan, backward: bool) -> Tensor:
        inside = kept[0] is not None and channels_last(kept[0])
        return super().linear(g, kept, replace(plan, slope=1.0) if inside else plan, backward)


class NotANumber(Engine):
    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, Kept]:
        y, kept = super().forward(x, b, plan, keep)
        return y * float("nan"), kept


def with_engine(engine: Tiles) -> Kernels:
    return Kernels(engine, lambda x, terms: resampled)


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Give the CPU other kernels; nothing is remembered of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def give(*makers: tuple[str, Callable[[], Kernels]]) -> None:
        engines.choice.cache_clear()
        monkeypatch.setitem(engines.MAKERS, "cpu", list(makers))

    yield give
    engines.choice.cache_clear()


def broken() -> Kernels:
    raise BuildError("g++ said: lrelu.cpp:1: no")


def test_right_kernels_serve(have: Callable[..., None]) -> None:
    have(("Good", lambda: with_engine(Engine())))
    assert engines.told(CPU, "auto") == "test (passed its self-test here)"
    assert engines.served_by(CPU, "fused") == "test"


def test_a_first_start_says_why_it_takes_a_while(have: Callable[..., None]) -> None:
    have(("Good", lambda: with_engine(Engine())))
    assert [*engines.announced(CPU, "reference")] == ["reference, as asked"]
    told = "test (passed its self-test here)"
    assert [*engines.announced(CPU, "auto")] == [engines.FIRST, told]
    engines.choice.cache_clear()  # the next process
    assert [*engines.announced(CPU, "auto")] == [told]


@pytest.mark.parametrize(
    ("engine", "what"),
    [
        (Loud, "value"),
        (LoudInside, "value"),
        (Forgetful, "gradient"),
        (ForgetfulInside, "gradient"),
        (NotANumber, "value of filtered_lrelu off by nan"),
    ],
)
def test_kernels_that_compute_wrongly_never_serve(have: Callable[..., None], engine: type[Tiles], what: str) -> None:
    have(("Bad", lambda: with_engine(engine())))
    found = engines.choice(CPU)
    assert found.kernels is None
    assert found.reason.startswith("Bad: failed its self-test:")
    assert what in found.reason


def test_a_wrong_resampling_is_found(have: Callable[..., None]) -> None:
    have(("Bad", lambda: Kernels(Engine(), lambda x, terms: lambda x, terms: 1.01 * resampled(x, terms))))
    assert "resampling by 2/1 off by" in engines.choice(CPU).reason


def test_a_wrong_gradient_of_a_convolutions_end_is_found(have: Callable[..., None]) -> None:
    def twice(conv: Tensor, d: Tensor, level: Tensor, bias: Tensor, **how: float) -> Tensor:
        return scaled_bias_lrelu(conv, d, 2 * level - level.detach(), bias, **how)

    have(("Bad", lambda: Kernels(Engine(), lambda x, terms: resampled, lambda conv: twice)))
    with torch.inference_mode():  # where a first question may come from
        assert "gradient for the noise of demodulation" in engines.choice(CPU).reason


def test_a_wrong_gradient_of_scaled_channels_is_found(have: Callable[..., None]) -> None:
    def wrong(x: Tensor, scale: Tensor, to: torch.memory_format | None = None) -> Tensor:
        return x * (2 * scale - scale.detach())[:, :, None, None].to(x.dtype)

    have(("Bad", lambda: Kernels(Engine(), lambda x, terms: resampled, scaler=lambda x: wrong)))
    assert "second factor's gradient off by" in engines.choice(CPU).reason


def test_a_wrong_convolution_is_found(have: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor, w: Tensor, padding: int) -> Tensor:
        return F.conv2d(2 * x - x.detach(), w.to(x.dtype), padding=padding)

    monkeypatch.setattr(selftest, "winograd", wrong)
    have(("Bad", lambda: with_engine(Engine())))
    assert "gradient off by 1.0e+00 (2e-05) of the convolution" in engines.choice(CPU).reason


def test_a_wrong_convolution_with_stride_2_is_found(have: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor, w: Tensor) -> Tensor:
        return F.conv2d(2 * x - x.detach(), w.to(x.dtype), stride=2)

    monkeypatch.setattr(selftest, "halved", wrong)
    have(("Bad", lambda: with_engine(Engine())))
    assert ": gradient off by 1.0e+00 (2e-05) of the convolution with stride 2" in engines.choice(CPU).reason


def test_a_wrong_transposed_convolution_is_found(have: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(y: Tensor, w: Tensor) -> Tensor:
        return F.conv_transpose2d(y, (2 * w - w.detach()).to(y.dtype), stride=2)

    monkeypatch.setattr(selftest, "doubled", wrong)
    have(("Bad", lambda: with_engine(Engine())))
    assert "second factor's gradient off by 1.0e+00 (2e-05) of the transposed" in engines.choice(CPU).reason


def test_a_wrong_modulated_convolution_is_found(have: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor, s: Tensor, d: Tensor, w: Tensor, padding: int) -> Tensor:
        s, d = s.to(x.dtype)[:, :, None, None], (2 * d - d.detach()).to(x.dtype)[:, :, None, None]
        return d * F.conv2d(s * x, w.to(x.dtype), padding=padding)

    monkeypatch.setattr(selftest, "modulated_winograd", wrong)
    have(("Bad", lambda: with_engine(Engine())))
    assert "third factor's gradient off by 1.0e+00 (2e-05) of the modulated" in engines.choice(CPU).reason


def test_a_wrong_modulated_convolution_of_blocks_is_found(
    have: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(x: Blocks, s: Tensor, d: Tensor, w: Tensor, padding: int) -> Blocks:
        s, d = (2 * s - s.detach()).to(x.numbers.dtype)[:, :, None, None], d.to(x.numbers.dtype)[:, :, None, None]
        return blocked(d * F.conv2d(s * planes(x), w.to(x.numbers.dtype), padding=padding))

    monkeypatch.setattr(selftest, "modulated_blocks", wrong)
    have(("Bad", lambda: with_engine(Engine())))
    assert "second factor's gradient off by 1.0e+00 (2e-05) of the modulated" in engines.choice(CPU).reason


def test_a_wrong_end_of_a_network_is_found(have: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "to_few", lambda x, w: torch.einsum("nmhw,nfm->nfhw", x.to(w.dtype), 1.01 * w))
    have(("Bad", lambda: with_engine(Engine())))
    assert "value off by 1.0e-02 (2e-05) of nmhw,nfm->nfhw" in engines.choice(CPU).reason


def test_kernels_pass_whoever_asks_first() -> None:
    kernels = engines.choice(CPU).kernels
    if kernels is None:
        pytest.skip(engines.choice(CPU).reason)
    with torch.inference_mode():
        assert selftest.failure(kernels, CPU) is None


def test_what_cant_be_built_is_told_once_with_error_and_price(
    have: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    have(("C++", broken))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert engines.told(CPU, "auto") == "plain PyTorch (C++: g++ said: lrelu.cpp:1: no)"
    assert len(caplog.records) == 1
    assert "g++ said: lrelu.cpp:1: no" in caplog.text
    assert engines.COST["cpu"] in caplog.text


def test_without_kernels_auto_computes_the_same_and_fused_is_refused(have: Callable[..., None]) -> None:
    x = torch.randn(1, 2, 9, 8, generator=torch.Generator().manual_seed(0))
    right = upfirdn2d(x, (1.0, 2.0, 1.0), up=2, padding=2, impl="reference")
    have(("C++", broken))
    torch.testing.assert_close(upfirdn2d(x, (1.0, 2.0, 1.0), up=2, padding=2), right)
    with pytest.raises(NetworkError, match=r"--ops=fused: no kernels on cpu \(C\+\+: g\+\+ said"):
        filtered_lrelu(x, impl="fused")


def test_of_several_the_second_serves_where_the_first_fails(have: Callable[..., None]) -> None:
    have(("Bad", lambda: with_engine(Loud())), ("Good", lambda: with_engine(Engine())))
    assert engines.served_by(CPU, "auto") == "test"
    assert "; Bad: failed its self-test" in engines.told(CPU, "auto")


def test_a_passed_test_is_remembered_and_a_failed_one_is_not(
    have: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    failure = selftest.failure
    monkeypatch.setattr(selftest, "failure", lambda kernels, device: runs.append(1) or failure(kernels, device))
    for engine, expected in ((Engine, 1), (Loud, 2)):
        have((engine.__name__, lambda engine=engine: with_engine(engine())))
        runs.clear()
        for _ in range(2):
            engines.choice.cache_clear()
            engines.choice(CPU)
        assert len(runs) == expected


def test_filters_that_no_kernel_takes_go_through_plain_pytorch() -> None:
    x = torch.randn(1, 2, 9, 8, generator=torch.Generator().manual_seed(0))
    sheet = torch.rand(4, 4, generator=torch.Generator().manual_seed(1))
    auto, right = (filtered_lrelu(x, sheet, sheet, up=2, down=2, padding=6, impl=i) for i in ("auto", "reference"))
    torch.testing.assert_close(auto, right, rtol=1e-5, atol=1e-5)
