# SPDX-License-Identifier: Apache-2.0
"""docs/bench.md says what was measured: rows for each way, ratios against the same process's yardstick, no claims."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import networks, ops
from bench.pages import cases, network_passes
from bench.pages.machine import peaks
from bench.pages.measured import DOCS
from bench.pages.network_tables import network_lines
from bench.pages.operation_tables import operation_lines, share
from bench.pages.speeds import NEVER, drawn, folder, keep
from bench.pages.tables import number, ratio
from stylegan3.ops import timing
from stylegan3.ops.filtered_lrelu import filtered_lrelu

MACHINE = {
    "processor": "an abacus", "cores": 2, "threads": 1, "python": "3", "torch": "2", "triton": "none", "commit": "abc",
}  # fmt: skip
CARD = {**MACHINE, "gpu": "NVIDIA H200"}
SAME = ("operation", "shape")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run everything a few times at most."""
    monkeypatch.setattr(timing, "SPAN", 0.0)


def operation(way: str, kind: str, ms: float, **more: Any) -> dict[str, Any]:
    needs = {"forward_bytes": 4.8e9, "forward_flops": 1e9, "both_bytes": 9.6e9, "both_flops": 2e9}
    name = {"operation": "filtered_lrelu, 12 taps", "shape": "1x1x8x8", "kind": kind, "way": way}
    return {**name, **needs, "forward_ms": ms, "both_ms": 2 * ms, **more}


def network(name: str, way: str, kind: str, forward: float, both: float, **more: Any) -> dict[str, Any]:
    about = {"network": name, "size": 256, "batch": 1, "kind": kind, "way": way}
    return {**about, "forward_ms": 1000 * forward, "both_ms": 1000 * both, **more}


def test_ratios_are_against_the_faster_yardstick_of_the_same_numbers() -> None:
    rows = [
        operation("reference", "float32", 30),
        operation("reference", "bfloat16", 60),
        operation("auto", "bfloat16", 2),
    ]
    assert ratio(rows, rows[-1], SAME, "forward_ms") == 15
    rows[1]["forward_ms"] = 10.0
    assert ratio(rows, rows[-1], SAME, "forward_ms") == 5
    assert ratio(rows, rows[0], SAME, "forward_ms") == 1  # float32 knows no other precision
    assert ratio(rows, {**rows[-1], "shape": "another"}, SAME, "forward_ms") is None


def test_the_target_of_the_issue_stands_beside_what_was_measured() -> None:
    rows = [operation("reference", "float32", 30), operation("auto", "float32", 3)]
    lines = operation_lines({"machine": MACHINE, "rows": rows})
    assert lines[-1].endswith("15x the yardstick | 10x | no |")
    assert not any("GB/s" in line for line in lines)


def test_shares_of_a_card_are_those_of_its_slower_ceiling() -> None:
    row = operation("auto", "float16", 2.0)
    assert peaks("NVIDIA H200", "float16") == (4.8e12, 989e12)
    assert share(row, "forward", "NVIDIA H200") == pytest.approx(0.5)  # 1 ms of memory; of arithmetic much less
    assert share(row, "forward", "a card from the future") is None
    lines = operation_lines({"machine": CARD, "rows": [row]})
    assert "| 2400 (50%) | 0.50 (0%) | 50% | 50% |" in lines[4]
    assert lines[-1].endswith("| 50% to 50% | no |")


def test_what_does_not_fit_is_said() -> None:
    row = {"operation": "conv2d", "shape": "1", "kind": "float32", "way": "reference", "trouble": ops.FULL}
    assert "| out of memory |" in "\n".join(operation_lines({"machine": CARD, "rows": [row]}))


def test_targets_of_networks_are_met_or_not() -> None:
    rows = [
        network("stylegan3-t", "auto", "float32", 2.0, 8.0, both_gb=2.0),
        network("stylegan3-t", "auto", "bfloat16", 1.0, 3.0, both_gb=2.0),
        network("stylegan2", "auto", "float32", 0.7, 1.4),
    ]
    text = "\n".join(network_lines({"machine": MACHINE, "rows": rows}))
    assert "at most 2.5 s | 2.0 s | yes |" in text
    assert "stylegan3-t 256, with gradient: at most 3.5x that | 4.0x | no |" in text
    assert "below 2.5 GB | 2.0 GB | yes |" in text
    assert "1.5x as fast as float32 | 2.0x | yes |" in text
    assert "at most 0.6 s | 0.70 s | no |" in text


def test_a_bench_replaces_its_own_section_and_keeps_the_others(tmp_path: Path) -> None:
    page = tmp_path / "bench.md"
    keep(page, "ops", "cpu", {"machine": MACHINE, "rows": [operation("auto", "float32", 111)]})
    keep(page, "networks", "cpu", {"machine": MACHINE, "rows": [network("stylegan2", "auto", "float32", 0.444, 1)]})
    keep(page, "ops", "cpu", {"machine": MACHINE, "rows": [operation("auto", "float32", 222)]})
    other = {**MACHINE, "processor": "Another(R) Abacus(TM) CPU 2"}
    keep(page, "ops", "cpu", {"machine": other, "rows": [operation("auto", "float32", 333)]})
    text = page.read_text()
    assert ("| 222 |" in text, "| 111 |" in text, "| 0.44 |" in text, "| 333 |" in text) == (True, False, True, True)
    sections = [line for line in text.splitlines() if line.startswith("## ")]
    of_this = "Operations on the CPU: an abacus", "Networks on the CPU: an abacus"
    assert sections == [f"## {name}" for name in (of_this[0], "Operations on the CPU: Another Abacus 2", of_this[1])]
    assert {path.name for path in folder(page).iterdir()} == {
        "ops-cpu-an-abacus.json", "ops-cpu-another-abacus-2.json", "networks-cpu-an-abacus.json",
    }  # fmt: skip


def test_the_first_line_says_so_until_a_gpu_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "bench.md"
    keep(page, "ops", "cpu", {"machine": MACHINE, "rows": [operation("auto", "float32", 1)]})
    assert NEVER == "never run on a GPU"
    assert NEVER in page.read_text().splitlines()[0]
    keep(page, "ops", "cuda", {"machine": CARD, "rows": [operation("auto", "float16", 1)]})
    assert NEVER not in page.read_text()
    assert "## Operations on a GPU" in page.read_text()


def test_the_page_is_what_its_kept_figures_say() -> None:
    assert (DOCS / "bench.md").read_text(encoding="utf-8") == drawn(DOCS / "bench.md")


def test_operations_are_measured_in_every_way(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    few = [
        cases.lrelu("filtered_lrelu", (1, 2, 8, 9), cases.LINE, cases.LINE, 2, 2, (9, 8, 9, 8)),
        cases.modulated((1, 2, 6, 6), 3),
    ]
    monkeypatch.setattr(ops, "small_cases", lambda: [*few, cases.convolution((1, 2, 6, 6))])
    ops.main(["--device=cpu", "--rounds=1", "--cases=lrelu|modulated", f"--page={tmp_path / 'bench.md'}"])
    printed = capsys.readouterr().out
    rows = json.loads(next(folder(tmp_path / "bench.md").glob("ops-cpu-*.json")).read_text())["rows"]
    assert {(row["operation"], row["kind"], row["way"]) for row in rows} == {
        (case.operation, kind, way)
        for case in few
        for kind in ("float32", "bfloat16")
        for way in ("reference", "plain", "auto")
    }
    assert all(row["forward_ms"] > 0 and row["both_ms"] > 0 for row in rows)
    assert printed.strip() in (tmp_path / "bench.md").read_text()


@pytest.mark.parametrize("size", [64, 512])
def test_cases_have_the_sizes_that_they_say(size: int) -> None:
    found = list(cases.layer_cases(size, 2))
    assert len({(case.operation, case.shape) for case in found}) == len(found) > 10
    for case in found if size == 64 else []:
        given = [torch.empty(shape, device="meta") for shape in case.shapes]
        if case.plan is None:
            assert case.run("reference", *given).shape == case.result
    small = cases.small_cases()
    assert next(iter(small)).shape == "4x128x86x86 to 128x84x84"


def test_needed_products_are_those_of_the_shortest_way() -> None:
    case = cases.lrelu("one", (1, 1, 4, 4), None, None, 1, 1, (0, 0, 0, 0))
    assert case.products == 4 * 16  # a tap along each axis, twice
    wide = cases.lrelu("one", (1, 1, 20, 20), cases.LINE, cases.LINE, 2, 2, (9, 8, 9, 8))
    high, out = wide.plan.raised[0], wide.result[2]  # type: ignore[union-attr]
    assert wide.products == high * 20 * 6 + high * high * 6 + high * out * 12 + out * out * 12
    assert wide.needs(torch.float16)["forward_bytes"] == 2 * (400 + 1 + out * out)


def test_networks_are_measured_in_every_way(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []

    def here(wanted: network_passes.Wanted, what: str, *rest: str) -> Any:
        if what == "times":
            return network_passes.timed(wanted)
        asked.append(rest)
        return 0.25

    monkeypatch.setattr(networks, "apart", here)
    monkeypatch.setattr(network_passes, "WIDTHS", {"stylegan3-t": (64, 8)})
    page = tmp_path / "bench.md"
    arguments = ["--device=cpu", "--networks=stylegan3-t,discriminator", "--size=16", "--cbase=64", "--rounds=1"]
    networks.main([*arguments, f"--page={page}"])
    rows = json.loads(next(folder(page).glob("networks-cpu-*.json")).read_text())["rows"]
    ways = [(row["kind"], row["way"]) for row in rows if row["network"] == "discriminator"]
    assert ways == [("float32", "reference"), *((k, w) for k in ("float32", "bfloat16") for w in ("plain", "auto"))]
    assert len(rows) == 2 * len(ways)
    assert len(asked) == 2 * 4 * 2  # networks, ways without the yardstick, passes
    assert "| stylegan3-t | 16x16 | 1 | float32 | auto |" in capsys.readouterr().out


def test_a_peak_is_measured_in_a_process_of_its_own() -> None:
    wanted = network_passes.Wanted("stylegan2", 16, 1, cbase=64)
    ballast = torch.ones(1 << 28)  # 1 GB that the other process doesn't have
    assert 0.05 < networks.apart(wanted, "peak", "float32", "plain", "both") < 1
    assert network_passes.resident() > ballast.nbytes


def test_figures_have_two_or_three_digits() -> None:
    assert [number(value) for value in (0.123, 1.23, 12.3, 1234.0, None)] == ["0.12", "1.2", "12", "1234", "-"]


def test_the_yardstick_of_one_axis_is_the_filter_of_both() -> None:
    x, b = torch.randn(1, 2, 9, 8, dtype=torch.float64), torch.randn(2, dtype=torch.float64)
    line = torch.tensor(cases.LINE, dtype=torch.float64)
    sheet = torch.outer(line, line)
    one, both = (
        filtered_lrelu(x, f, f, b, up=2, down=2, padding=(9, 8, 9, 8), clamp=0.5, impl="reference")
        for f in (line, sheet)
    )
    assert torch.allclose(one, both, rtol=0, atol=1e-12)


def test_a_yardstick_that_takes_all_memory_is_told_and_the_rest_measured(monkeypatch):
    asked = []

    def apart(wanted, what):
        asked.append(wanted.skip_reference)
        if not wanted.skip_reference:
            raise subprocess.CalledProcessError(-9, "networks")
        return [{"network": "stylegan3-r", "size": 16, "batch": 1, "kind": "float32", "way": "auto", "forward_ms": 1.0}]

    monkeypatch.setattr(networks, "apart", apart)
    rows = networks.fitting(networks.Wanted("stylegan3-r", 16, 1))
    assert asked == [False, True]
    assert [(row["way"], row.get("trouble")) for row in rows] == [("reference", "out of memory"), ("auto", None)]
