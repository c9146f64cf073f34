# SPDX-License-Identifier: Apache-2.0
"""What a measurement was made on, and what its card could do at most."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
GB, TERA = 1e9, 1e12
# By part of the name, the first that fits: memory GB/s, TFLOP/s in float32 and, dense on the tensor cores with float32
# accumulation, in float16 and bfloat16. From NVIDIA's data sheets.
PEAKS = {
    "H200": (4800, 67, 989),
    "H100 NVL": (3900, 60, 835),
    "H100 PCIe": (2000, 51, 756),
    "H100": (3350, 67, 989),
    "A100 80GB PCIe": (1935, 19.5, 312),
    "A100-SXM4-80GB": (2039, 19.5, 312),
    "A100": (1555, 19.5, 312),
    "L40S": (864, 91.6, 362),
    "RTX 4090": (1008, 82.6, 165),
    "RTX 3090": (936, 35.6, 71),
    "L4": (300, 30.3, 121),
    "V100": (900, 15.7, 125),
    "T4": (320, 8.1, 65),
}


def peaks(name: str, kind: str) -> tuple[float, float] | None:
    """Return a card's bytes and operations a second in a precision; None for an unknown card."""
    for part, (memory, single, half) in PEAKS.items():
        if part in name:
            return memory * GB, (single if kind == "float32" else half) * TERA
    return None


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    """Return the commit that was measured, and whether files differ from it."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, capture_output=True, text=True
        )
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def installed(package: str) -> str:
    """Return a package's version, or that there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def facts(device: torch.device) -> dict[str, Any]:
    """Return what a measurement is read with: the machine, the versions, the commit."""
    found: dict[str, Any] = {"processor": processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    found |= {"python": platform.python_version(), "torch": torch.__version__, "triton": installed("triton")}
    return {**found, "commit": commit()}


def told(found: dict[str, Any]) -> str:
    """Return facts as a line of prose."""
    gpu = f"{found['gpu']}; " if "gpu" in found else ""
    versions = ", ".join(f"{name} {found[name]}" for name in ("python", "torch", "triton"))
    cores = f"{found['processor']}, {found['cores']} cores, {found['threads']} threads used"
    return f"{gpu}{cores}; {versions}; commit {found['commit']}."
