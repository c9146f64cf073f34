# SPDX-License-Identifier: Apache-2.0
"""The doctor judges every engine, whichever is chosen: right, wrong, or not to be had, with the reason in its words."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from stylegan3.ops import agreement, doctor, engines, selftest, timing, verdicts
from stylegan3.ops.interfaces import Kernels
from stylegan3.ops.native.build import BuildError
from stylegan3.ops.plans import Plan
from stylegan3.ops.resampling import resampled
from stylegan3.ops.tiles import Tiles

CPU = torch.device("cpu")


class Wrong(Tiles):
    """An engine whose gradients are a thousandth too large."""

    name = "wrong"

    def linear(self, g: Tensor, kept: tuple[Tensor | None, ...], plan: Plan, backward: bool) -> Tensor:
        return 1.001 * super().linear(g, kept, plan, backward)


class Choosy(Tiles):
    name = "choosy"

    def why_not(self, x: Tensor, plan: Plan) -> str | None:
        return None if x.dtype == torch.float32 else f"it takes no {x.dtype}"


class Breaking(Tiles):
    """An engine that fails where it isn't in float32."""

    name = "breaking"

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        if x.dtype != torch.float32:
            raise ValueError("the launch failed")
        return super().forward(x, b, plan, keep)


def no_compiler() -> Kernels:
    raise BuildError("g++ -O3:\nlrelu.cpp:12: error: expected ';'")


def kernels(engine: type[Tiles]) -> Callable[[], Kernels]:
    return lambda: Kernels(engine(), lambda x, terms: resampled)


ENGINES: list[tuple[str, type[Tiles]]] = [("wrong", Wrong), ("choosy", Choosy), ("breaking", Breaking)]
MAKERS = [("none", no_compiler), *((name, kernels(engine)) for name, engine in ENGINES)]


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Make the engines above those of the CPU, and all sizes small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engines.MAKERS, "cpu", MAKERS)
        patch.setitem(engines.MAKERS, "cuda", [("Triton", no_compiler)])
        patch.setitem(verdicts.TIMED, "cpu", (1, 2, 16))
        patch.setattr(verdicts, "SUBJECTS", (agreement.lrelu(selftest.CASES[0]), *agreement.others(2, 3, 6)))
        patch.setattr(selftest, "CASES", selftest.CASES[3:])
        patch.setattr(timing, "SPAN", 0.0)
        engines.choice.cache_clear()
        yield patch
    engines.choice.cache_clear()


@pytest.fixture(scope="module")
def found(patch: pytest.MonkeyPatch) -> dict[tuple[str, str, torch.dtype | None], verdicts.Row]:
    return {(row.operation, row.way, row.kind): row for row in verdicts.rows_of(CPU)}


Rows = dict[tuple[str, str, torch.dtype | None], verdicts.Row]


def test_each_operation_has_a_row_for_each_way_and_precision(found: Rows) -> None:
    lrelu = {way for operation, way, _ in found if operation == "filtered_lrelu"}
    assert lrelu == {"plain PyTorch", *(name for name, _ in MAKERS)}
    for subject in agreement.SUBJECTS:
        for kind in verdicts.KINDS["cpu"]:
            row = found[subject.name, "plain PyTorch", kind]
            assert row.why is row.trouble is None
            assert row.error <= verdicts.KINKS * selftest.ALLOWED[kind]
            assert row.speed_up > 0


def test_a_wrong_engine_is_told_with_what_is_wrong(found: Rows) -> None:
    row = found["filtered_lrelu", "wrong", torch.float32]
    assert row.trouble is not None
    assert row.trouble.startswith("gradient off by 1.0e-03")


def test_what_an_engine_does_not_take_is_no_fault_but_breaking_is(found: Rows) -> None:
    refused = found["filtered_lrelu", "choosy", torch.bfloat16]
    assert (refused.why, refused.trouble) == ("it takes no torch.bfloat16", None)
    assert found["filtered_lrelu", "choosy", torch.float32].why is None
    assert found["filtered_lrelu", "breaking", torch.bfloat16].trouble == "the launch failed"


def report(patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rows: list[verdicts.Row]) -> tuple[int, str]:
    """Return the doctor's exit code and what it prints, for the CPU alone."""
    with patch.context() as inner:
        inner.setattr(doctor, "devices", lambda: [CPU])
        inner.setattr(doctor, "rows_of", lambda device: iter(rows))
        inner.setattr(torch.cuda, "is_available", lambda: False)
        return doctor.main(), capsys.readouterr().out


def test_the_report_shows_a_compilers_words_and_ends_with_1(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], found: Rows
) -> None:
    code, text = report(patch, capsys, list(found.values()))
    assert code == 1
    assert "lrelu.cpp:12: error: expected ';'" in text
    assert "WRONG [" in text
    assert text.count("the launch failed") == 1  # once below the table, for all precisions
    assert "sees no GPU here" in text


def test_it_ends_with_0_where_all_that_serves_is_right(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], found: Rows
) -> None:
    code, text = report(patch, capsys, [row for row in found.values() if row.way in ("none", "plain PyTorch")])
    assert code == 0
    assert "lrelu.cpp:12: error: expected ';'" in text


def test_the_words_of_an_error_without_any_are_its_name() -> None:
    assert verdicts.words(BuildError(" the cause ")) == "the cause"
    assert verdicts.words(MemoryError()) == "MemoryError"


def test_a_result_of_another_shape_or_not_a_number_is_wrong() -> None:
    assert agreement._error(torch.ones(2), torch.ones(3), True) == float("inf")
    assert verdicts.trouble({"value": float("nan")}, torch.float32) is not None
