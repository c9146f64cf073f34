# SPDX-License-Identifier: Apache-2.0
"""How well the classifiers know spoken digits: on takes of speakers they heard, and on a speaker they never heard.

python bench/classifier.py AUDIO/digits WORK

AUDIO/digits holds DIGIT/DIGIT_SPEAKER_TAKE.flac. Prints, for both kinds: held-out accuracy by the archive's split with
wall and processor seconds of the training, then each speaker left out once.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1]))

import dataset_tool_wav
from patches.scores.classifier import Classifier
from patches.scores.classifier_networks import KINDS, Kind
from patches.scores.classifier_split import Split, split_of
from patches.scores.classifier_training import trained_on
from spect.archive.reader import Archive

PATTERN = r"(?P<digit>\d)_(?P<speaker>[a-z]+)_\d+"


def build(source: Path, dest: Path) -> Archive:
    """Make the archive of one second at 8 kHz, unless it is there."""
    if not dest.is_file():
        options = ["--resolution=64x64", "--sample-rate=8000", f"--label-pattern={PATTERN}"]
        command = [f"--source={source}", f"--dest={dest}", *options]
        result = CliRunner().invoke(dataset_tool_wav.main, command)
        if result.exit_code:
            raise SystemExit(result.output)
    return Archive.open(dest)


def measured(archive: Archive, kind: Kind, split: Split, title: str) -> Classifier:
    """Train and print a line."""
    wall, busy = time.perf_counter(), time.process_time()
    made = trained_on(archive, "digit", kind, split)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    told, bounds = made.accuracy, made.accuracy.estimate
    interval = f"{100 * bounds.low:.1f} to {100 * bounds.high:.1f}"
    print(
        f"{kind:12} {title:24} {told.correct:4}/{told.count:<4} {100 * bounds.value:5.1f} % ({interval:12}) "
        f"trained on {told.train}: {wall:.0f} s, {busy:.0f} s of processor",
        flush=True,
    )
    return made


def main(source: Path, work: Path) -> None:
    """Print all lines."""
    torch.set_num_threads(1)
    archive = build(source, work / "digits.zip")
    for kind in KINDS:
        measured(archive, kind, split_of(archive, "digit"), "held-out takes")
    for kind in KINDS:
        unheard(archive, kind)


def unheard(archive: Archive, kind: Kind) -> None:
    """Leave each speaker out once."""
    speakers, counts = archive.label_values("speaker"), []
    for number, name in enumerate(next(one.classes for one in archive.label_sets if one.name == "speaker")):
        apart, heard = np.flatnonzero(speakers == number), np.flatnonzero(speakers != number)
        counts.append(measured(archive, kind, Split(heard, apart, name), f"never heard {name}").accuracy)
    right, total = sum(one.correct for one in counts), sum(one.count for one in counts)
    print(f"{kind:12} {'never heard, all':24} {right:4}/{total:<4} {100 * right / total:5.1f} %", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
