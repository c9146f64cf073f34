# SPDX-License-Identifier: Apache-2.0
"""Tables of whole networks: seconds, ratios, peak memory, and the targets beside them."""

from collections.abc import Iterator
from typing import Any

from bench.pages.machine import told
from bench.pages.tables import Row, number, ratio, table, target

SAME = ("network", "size", "batch")
T, TWO = "stylegan3-t", "stylegan2"
MOST = 3.5  # times the forward pass, with the gradient


def _times(row: Row) -> float | None:
    """Return how many times as long as its forward pass both passes take."""
    forward, both = row.get("forward_ms"), row.get("both_ms")
    return None if forward is None or both is None else both / forward


def _cells(rows: list[Row], row: Row) -> list[str]:
    cells = [row["network"], f"{row['size']}x{row['size']}", str(row["batch"]), row["kind"], row["way"]]
    if "trouble" in row:
        return [*cells, row["trouble"], *[""] * 6]
    for figure in ("forward", "both"):
        name = f"{figure}_ms"
        cells += [number(_seconds(row.get(name))), number(ratio(rows, row, SAME, name), "x")]
    return [*cells, number(_times(row), "x"), number(row.get("forward_gb")), number(row.get("both_gb"))]


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _at(rows: list[Row], network: str, size: int, kind: str = "float32") -> Row | None:
    """Return what runs unless asked otherwise, at the smallest batch."""
    found = [r for r in rows if (r["network"], r["size"], r["kind"], r["way"]) == (network, size, kind, "auto")]
    return min(found, key=lambda row: row["batch"], default=None)


def _of_cpu(rows: list[Row]) -> Iterator[tuple[str, str, str] | None]:
    for network, most in ((T, 2.5), (TWO, 0.6)):
        row = _at(rows, network, 256)
        if row is None:
            continue
        value, times = _seconds(row.get("forward_ms")), _times(row)
        yield target(f"{network} 256, forward: at most {most} s", value, " s", (value or 0) <= most)
        yield target(f"{network} 256, with gradient: at most {MOST}x that", times, "x", (times or 0) <= MOST)
    single, half = _at(rows, T, 256), _at(rows, T, 256, "bfloat16")
    if single is not None:
        peak = single.get("both_gb")
        yield target(f"{T} 256, peak of both passes: below 2.5 GB", peak, " GB", (peak or 0) < 2.5)
    if single is not None and half is not None and half.get("forward_ms") and single.get("forward_ms"):
        gain = single["forward_ms"] / half["forward_ms"]
        yield target(f"{T} 256, bfloat16: 1.5x as fast as float32", gain, "x", gain >= 1.5)


def _of_gpu(rows: list[Row]) -> Iterator[tuple[str, str, str] | None]:
    for row in rows:
        if (row["network"], row["size"], row["way"]) == (T, 512, "auto"):
            value = ratio(rows, row, SAME, "both_ms")
            text = f"{T} 512, batch {row['batch']}, {row['kind']}, both passes: 8x the yardstick"
            yield target(text, value, "x", (value or 0) >= 8)


def network_lines(found: dict[str, Any]) -> list[str]:
    """Return the section of one device."""
    rows, on_gpu = found["rows"], "gpu" in found["machine"]
    names = ["network", "picture", "batch", "precision", "ops", "forward s", "ratio", "forward+backward s", "ratio"]
    names += ["of forward", "peak GB, forward", "peak GB, both"]
    memory = "the GPU memory allocated" if on_gpu else "the whole process's resident memory, in a process of its own"
    lines = [
        told(found["machine"]),
        "",
        "Four channels, published widths (R: cbase 65536, cmax 1024). Forward goes from latents to pictures (the",
        "discriminator's to scores), backward to the gradients of all weights.",
        f"Peaks are {memory}.",
        "A network's own structure is the same on the yardstick: convolutions cropped to what is read, StyleGAN2's",
        "activations scaled in place of its kernels.",
        "",
        *table(names, (_cells(rows, row) for row in rows)),
    ]
    wanted = [row for row in (_of_gpu if on_gpu else _of_cpu)(rows) if row is not None]
    return [*lines, "", *table(("target", "measured", "met"), wanted)] if wanted else lines
