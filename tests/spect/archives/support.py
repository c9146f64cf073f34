# SPDX-License-Identifier: Apache-2.0
"""Small archives of noise, and what is in them."""

from pathlib import Path

import numpy as np
import soundfile

from spect.archive.reader import Archive
from spect.cmyk import Cmyk
from spect.dataset.build import build, scan
from spect.dataset.labels import Asked, find_labels
from spect.dataset.options import Preparation
from spect.dataset.sources import find

RATE = 8000
SHAPE = Cmyk(sample_rate=RATE, rows=16, frames=16)
SLICED = Preparation(SHAPE, slice=True, stride=400)
TABLE = "file,instrument,bright\n"


def sounds(folder: Path, per_class: int = 6) -> Path:
    """Sounds of three folders, mono and stereo, one to five canvases long, and a table of two label sets."""
    rows = [TABLE]
    for number in range(3 * per_class):
        path = folder / ("kick", "snare", "tom")[number % 3] / f"{number:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        data = 10 ** (-number / 20) * rng.uniform(-0.9, 0.9, (300 + 170 * number, 1 + number % 2)) + 0.05
        soundfile.write(path, data, RATE, subtype="FLOAT")
        rows.append(f"{path.parent.name}/{path.name},{'xyz'[number % 3]},{number / 7:.3f}\n")
    (folder / "table.csv").write_text("".join(rows))
    return folder


def made(
    folder: Path, dest: Path, names: str = "", *, preparation: Preparation = SLICED, holdout: float = 0.3, asked: Asked
) -> Archive:
    """Build an archive of the sounds whose names begin with one of `names`, letters or folders between blanks."""
    listing = find(folder)
    chosen = [name for name in listing.names if not names or name.startswith(tuple(names.split()))]
    facts = list(scan(listing.source, chosen, None, 1, downmix=False, trim=False))
    labels = find_labels(asked, listing.source, chosen)
    build(listing.source, facts, labels, preparation, dest, holdout=holdout)
    return Archive.open(dest)


def damage(path: Path, index: int, offset: int) -> None:
    """Turn a bit of a picture's values."""
    layout, content = Archive.open(path).layout, bytearray(path.read_bytes())
    content[layout.data_offset(index) + len(layout.header) + offset] ^= 4
    path.write_bytes(content)
