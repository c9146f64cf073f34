# SPDX-License-Identifier: Apache-2.0
"""A sound to its picture and back: to look at what a network would see, and to listen to what it could say at best.

    python -m spect.convert IN OUT --view mel [--view-args window=1024,hop=256]

writes OUT.wav (what came back, as long as what went in) and OUT.png, and says the picture's shape and how alike the two
sounds are. The sound goes in whole, at its own rate, filled up with silence to a picture that networks can learn.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

import spect.views  # noqa: F401  (registers every representation)
from spect.audio import read, to_stereo
from spect.errors import SoundError
from spect.files import NewFolder
from spect.preview import save_png
from spect.representation import REPRESENTATIONS, Representation, of_length, parse_arguments, typed_arguments
from spect.similarity import similarity
from spect.wavfile import write_wav

LEAST_ROWS = 64
TOLD_DB = 0.05  # a peak over full scale by less is rounding


def suited(name: str, sample_rate: int, samples: int, texts: dict[str, str]) -> Representation:
    """Choose a representation for a sound: as for an archive of about square canvases that hold it whole.

    Raises:
        SoundError: an unknown name, or parameters that it refuses.
    """
    if name not in REPRESENTATIONS:
        raise SoundError(f"--view: got {name!r}; allowed: {', '.join(sorted(REPRESENTATIONS))}")
    cls = REPRESENTATIONS[name]
    rows = max(LEAST_ROWS, 2 ** round(math.log2(samples / 2) / 2))
    frames = rows * math.ceil(samples / (2 * rows * rows))
    made: Representation = cls.suited(  # type: ignore[attr-defined]
        sample_rate, 2 * rows * frames, rows, frames, **typed_arguments(cls, texts)
    )
    return made


def convert(source: Path, out: Path, name: str, texts: dict[str, str]) -> str:
    """Write OUT.wav and OUT.png; return what to tell.

    Raises:
        SoundError: the file can't be read, or doesn't fit the view.
    """
    if not out.name:
        raise SoundError(f"OUT: got {str(out)!r}; give a name without .wav and .png, such as {out / source.stem}")
    given, rate = read(source)
    sound = torch.from_numpy(to_stereo(given))[None]
    representation = suited(name, rate, sound.shape[-1], texts)
    canvas = representation.encode(of_length(sound, representation.samples))
    back = of_length(representation.decode(canvas), sound.shape[-1])[0]
    peak = float(back.abs().max())
    wav, png = out.with_name(f"{out.name}.wav"), out.with_name(f"{out.name}.png")
    with NewFolder(out.parent):
        write_wav(wav, (back / max(1.0, peak)).numpy(), rate)
        save_png(png, representation.preview(canvas)[0])
    shape = "x".join(map(str, representation.shape))
    cut = max(0, sound.shape[-1] - representation.samples) / rate
    told = f"{wav}, {png}: {name} {shape}, similarity {similarity(sound[0].numpy(), back.numpy()):.4f}"
    told += f", {cut:.3g} s at the end don't fit and are silent" * (cut > 0)
    over_db = 20 * math.log10(max(1.0, peak))
    return told + f", lowered by {over_db:.1f} dB to fit a file" * (over_db >= TOLD_DB)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; a user's mistake is one line and 2."""
    parser = argparse.ArgumentParser(prog="python -m spect.convert", description="A sound to its picture and back.")
    parser.add_argument("source", type=Path, metavar="IN", help="a sound file")
    parser.add_argument("out", type=Path, metavar="OUT", help="name without .wav and .png")
    parser.add_argument("--view", required=True, help=", ".join(sorted(REPRESENTATIONS)))
    parser.add_argument("--view-args", default="", metavar="K=V,...", help="its parameters")
    given = parser.parse_args(arguments)
    try:
        print(convert(given.source, given.out, given.view, parse_arguments(given.view_args)))
    except SoundError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"OUT: {error.filename or given.out}: {error.strerror or error}; give another place", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
