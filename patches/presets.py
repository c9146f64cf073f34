# SPDX-License-Identifier: Apache-2.0
"""Presets: one table of settings that belong together, the archive they are for, and what each is expected to cost.

docs/presets.md tells where the numbers of the seeds' configurations come from.
"""

from dataclasses import asdict, dataclass
from typing import Any

from patches.errors import UserError
from spect.cmyk import Cmyk


@dataclass(frozen=True)
class Preset:
    """Settings of train.py under one name; every one of them can still be given on the command line.

    Args:
        resolution: FxT of the archive that the preset is meant for, and
        sample_rate: its rate in Hz; None: any. Where it is given, the view's parameters suit no other.
        cond, z_dim, embed_dim, ema_rampup: as train.py has them.
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
    sample_rate: int | None = None
    view_args: str = ""
    cond: bool = False
    z_dim: int = 512
    embed_dim: int | None = None
    ema_rampup: float = 0.05

    @property
    def archive_options(self) -> str:
        """What dataset_tool_wav.py is given for an archive that suits."""
        rate = "" if self.sample_rate is None else f" --sample-rate={self.sample_rate}"
        return f"--resolution={self.resolution}{rate}" + " --labels=folders" * self.cond


PRESETS = {
    "paper": Preset(
        cfg="stylegan3-t", resolution="512x512", batch=8, gamma=8, kimg="10", tick=1, snap=1, cbase=32768, cmax=512,
        map_depth=2, glr=None, dlr=0.002,
        view="cmyk", scaling="linear", aug="ada", memory_gb=13.2, s_per_kimg=29500,
    ),
    "demo": Preset(
        cfg="stylegan2", resolution="64x64", batch=4, gamma=10, kimg="7", tick=0.5, snap=4, cbase=512, cmax=64,
        map_depth=2, glr=0.006, dlr=0.012, ema_rampup=0.1,
        view="auto", scaling="auto", aug="noaug", memory_gb=0.4, s_per_kimg=24,
    ),
    "tiny": Preset(
        cfg="stylegan2", resolution="64x64", batch=16, gamma=10, kimg="200", tick=1, snap=10, cbase=2048, cmax=64,
        map_depth=2, glr=None, dlr=0.002,
        view="auto", scaling="auto", aug="ada", memory_gb=0.7, s_per_kimg=30,
    ),
    "quick": Preset(
        cfg="stylegan2", resolution="128x128", batch=16, gamma=10, kimg="1000", tick=4, snap=10, cbase=8192, cmax=256,
        map_depth=2, glr=None, dlr=0.002,
        view="auto", scaling="auto", aug="ada", memory_gb=2.5, s_per_kimg=450,
    ),
    # Seed 001, table 1: its best; batch and snapshots aren't told there. 137 h for 2200 kimg.
    "electrogan": Preset(
        cfg="stylegan2", resolution="512x1024", batch=4, gamma=10, kimg="2200", tick=4, snap=25, cbase=32768, cmax=512,
        map_depth=None, glr=0.001, dlr=0.001,
        view="logmag", scaling="standard-one", aug="noaug", memory_gb=20, s_per_kimg=224, measured_on="an RTX 3090",
        sample_rate=44100,
        view_args="rows=1024,frames=1024,hop=1025,first=0,samples=1048576,"
        "inverse=griffin-lim,iterations=10,momentum=0",
    ),
    # Seed 001, section 9: proposed there, not run; a quarter of electrogan's time is assumed.
    "electrogan-short": Preset(
        cfg="stylegan2", resolution="256x512", batch=8, gamma=10, kimg="2200", tick=4, snap=25, cbase=32768, cmax=512,
        map_depth=None, glr=0.001, dlr=0.001,
        view="logmag", scaling="standard-one", aug="noaug", memory_gb=20, s_per_kimg=56, measured_on="an RTX 3090",
        sample_rate=44100,
        view_args="rows=512,frames=512,hop=513,first=0,samples=262144,inverse=griffin-lim,iterations=10,momentum=0",
    ),
    # Seed 002, section V: latent 64, label 10, Adam at 1e-3; the rest isn't told.
    "digits": Preset(
        cfg="stylegan2", resolution="64x128", batch=16, gamma=1, kimg="5000", tick=4, snap=25, cbase=32768, cmax=512,
        map_depth=None, glr=0.001, dlr=0.001,
        view="mel", scaling="standard-one", aug="ada", memory_gb=9, s_per_kimg=8200, measured_on="one CPU core",
        sample_rate=16000, cond=True, z_dim=64, embed_dim=10,
        view_args="rows=128,frames=128,window=512,hop=125,first=62,samples=16000,channels=1",
    ),
    # Seed 004: its picture's size, its sounds, its latent and batch; its network isn't a StyleGAN.
    "urbansound": Preset(
        cfg="stylegan2", resolution="128x384", batch=8, gamma=2, kimg="1000", tick=4, snap=25, cbase=32768, cmax=512,
        map_depth=None, glr=None, dlr=0.002,
        view="mel", scaling="standard-one", aug="ada", memory_gb=10, s_per_kimg=12700, measured_on="one CPU core",
        sample_rate=22050, z_dim=128,
        view_args="rows=256,frames=256,window=2048,hop=345,first=112,samples=88200,channels=1",
    ),
}  # fmt: skip

COSTS = ("memory_gb", "s_per_kimg", "measured_on")


def preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(f"--preset={name}: must be one of {', '.join(PRESETS)}")
    return PRESETS[name]


def settings(name: str) -> dict[str, Any]:
    """Return what a preset sets, without the archive that it is for and what it costs."""
    left_out = ("resolution", "sample_rate", *COSTS)
    return {key: value for key, value in asdict(preset(name)).items() if key not in left_out}


def expectations(archive: Cmyk | None = None) -> list[dict[str, Any]]:
    """Return {preset, resolution, sample_rate, memory_gb, s_per_kimg, measured_on} for each preset that suits.

    Args:
        archive: what is built; presets that are for one archive only are left out where it is another one.
    """
    keys = ("resolution", "sample_rate", *COSTS)
    rows = {name: row for name, row in PRESETS.items() if row.sample_rate is None or _is_for(row, archive)}
    return [{"preset": name, **{key: getattr(row, key) for key in keys}} for name, row in rows.items()]


def _is_for(row: Preset, archive: Cmyk | None) -> bool:
    return archive is not None and (row.resolution, row.sample_rate) == (
        f"{archive.rows}x{archive.frames}",
        archive.sample_rate,
    )


def advised(archive: Cmyk | None = None, *, labelled: bool = False) -> list[dict[str, Any]]:
    """Return `expectations` as they are good for sounds of one's own.

    The demo's preset is for minutes only; the paper's own linear scaling learns next to nothing (patches/README.md), so
    that its preset is advised with companding.
    """
    rows = [row for row in expectations(archive) if row["preset"] != "demo"]
    rows = [row for row in rows if labelled or not PRESETS[row["preset"]].cond]
    linear = {name for name, preset in PRESETS.items() if preset.scaling == "linear"}
    return [{**row, "preset": row["preset"] + " --scaling=compand" * (row["preset"] in linear)} for row in rows]
