# SPDX-License-Identifier: Apache-2.0
"""Presets: one table of settings that belong together, and what each is expected to cost."""

from dataclasses import asdict, dataclass
from typing import Any

from patches.errors import UserError


@dataclass(frozen=True)
class Preset:
    """Settings of train.py under one name; every one of them can still be given on the command line.

    Args:
        resolution: FxT of the archive that the preset is meant for.
        memory_gb: peak to expect at this batch, and
        s_per_kimg: seconds per thousand pictures, on the machine named in `measured_on`.
    """

    cfg: str
    resolution: str
    batch: int
    gamma: float
    kimg: str
    tick: float
    snap: int
    cbase: int
    cmax: int
    map_depth: int | None
    glr: float | None
    dlr: float
    view: str
    scaling: str
    aug: str
    memory_gb: float
    s_per_kimg: float
    measured_on: str = "2 CPU cores"


PRESETS = {
    "paper": Preset(
        cfg="stylegan3-t", resolution="512x512", batch=8, gamma=8, kimg="10", tick=1, snap=1, cbase=32768, cmax=512,
        map_depth=2, glr=None, dlr=0.002,
        view="cmyk", scaling="linear", aug="ada", memory_gb=13.2, s_per_kimg=29500,
    ),
    "demo": Preset(
        cfg="stylegan2", resolution="64x64", batch=4, gamma=3, kimg="8", tick=0.5, snap=4, cbase=512, cmax=64,
        map_depth=2, glr=0.006, dlr=0.012,
        view="auto", scaling="auto", aug="noaug", memory_gb=0.4, s_per_kimg=20,
    ),
    "tiny": Preset(
        cfg="stylegan2", resolution="64x64", batch=16, gamma=1, kimg="200", tick=1, snap=10, cbase=2048, cmax=64,
        map_depth=2, glr=None, dlr=0.002,
        view="auto", scaling="auto", aug="ada", memory_gb=0.7, s_per_kimg=30,
    ),
    "quick": Preset(
        cfg="stylegan2", resolution="128x128", batch=16, gamma=1, kimg="1000", tick=4, snap=10, cbase=8192, cmax=256,
        map_depth=2, glr=None, dlr=0.002,
        view="auto", scaling="auto", aug="ada", memory_gb=2.5, s_per_kimg=450,
    ),
}  # fmt: skip


def preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(f"--preset={name}: must be one of {', '.join(PRESETS)}")
    return PRESETS[name]


def settings(name: str) -> dict[str, Any]:
    """Return what a preset sets, without what it costs."""
    values = asdict(preset(name))
    for key in ("resolution", "memory_gb", "s_per_kimg", "measured_on"):
        del values[key]
    return values


def expectations() -> list[dict[str, Any]]:
    """Return, for each preset, {preset, resolution, memory_gb, s_per_kimg, measured_on}."""
    keys = ("resolution", "memory_gb", "s_per_kimg", "measured_on")
    return [{"preset": name, **{key: getattr(row, key) for key in keys}} for name, row in PRESETS.items()]


def advised() -> list[dict[str, Any]]:
    """Return `expectations` as they are good for sounds of one's own.

    The demo's preset is for minutes only; the paper's own linear scaling learns next to nothing (patches/README.md), so
    that its preset is advised with companding.
    """
    rows = [row for row in expectations() if row["preset"] != "demo"]
    linear = {name for name, preset in PRESETS.items() if preset.scaling == "linear"}
    return [{**row, "preset": row["preset"] + " --scaling=compand" * (row["preset"] in linear)} for row in rows]
