# SPDX-License-Identifier: Apache-2.0
"""The demonstration that `make demo` runs: notes -> archive -> trained network -> new sounds.

Four steps with the project's own scripts, each with its output on the screen:

    examples/synth.py        about 100 notes as wav files          demo/sounds/{pad,bass,pluck}/*.wav
    dataset_tool_wav.py      those files as lossless pictures      demo/sounds.zip
    train.py                 a small network learns the pictures   demo/training/00000-.../
    gen_audio.py             eight seeds become sounds             demo/new_sounds/seed000N.{wav,png}

A second call keeps what is done and goes on with a training that was stopped; `--fresh` starts over.

    python -m examples.demo [--out demo] [--fresh]
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from examples.steps import ROOT, Step, run_steps


@dataclass(frozen=True)
class Settings:
    """All that the demonstration can be tuned by.

    resolution: FxT of the pictures; a canvas holds 2*F*T samples.
    share: of a canvas that a note fills with its tail; silence follows, as after any one-shot.
    train: options of train.py beside --outdir, --data and --resume.
    seeds: of the new sounds.
    """

    count: int = 100
    resolution: str = "64x64"
    sample_rate: int = 8000
    seed: int = 0
    share: float = 0.6
    train: tuple[str, ...] = ("--preset=demo", "--device=cpu", "--seed=0", "--time-limit=210s", "--metrics=none")
    seeds: str = "0-7"

    @property
    def seconds(self) -> float:
        """Length of a note."""
        rows, frames = (int(side) for side in self.resolution.split("x"))
        return round(self.share * 2 * rows * frames) / self.sample_rate


def plan(settings: Settings, out: Path) -> list[Step]:
    """The four steps; what a step depends on includes what the steps before it depend on."""
    sounds, archive, training, new = (out / name for name in ("sounds", "sounds.zip", "training", "new_sounds"))
    notes: dict[str, object] = {
        "count": settings.count,
        "resolution": settings.resolution,
        "sample_rate": settings.sample_rate,
        "seconds": settings.seconds,
        "seed": settings.seed,
    }
    network = notes | {"train": settings.train}
    rate = f"--sample-rate={settings.sample_rate}"
    length = f"--seconds={settings.seconds!r}"
    synth = ["-m", "examples.synth", str(sounds), f"--count={settings.count}", length, rate, f"--seed={settings.seed}"]
    dataset = ["dataset_tool_wav.py", f"--source={sounds}", f"--dest={archive}", f"--resolution={settings.resolution}"]
    train = ["train.py", f"--outdir={training}", f"--data={archive}", *settings.train, "--resume=auto"]
    generate = ["gen_audio.py", f"--network={training}", f"--outdir={new}", f"--seeds={settings.seeds}"]

    return [
        Step("render notes", notes, sounds, synth),
        Step("build the archive", notes, archive, [*dataset, rate, "--labels=folders"]),
        Step("train", network, training, train),
        Step("generate", network | {"seeds": settings.seeds}, new, generate, again=True),
    ]


def closing_words(settings: Settings, out: Path, taken: dict[str, float], setup_seconds: float | None) -> str:
    """What the user is told at the end: where, how long, what to expect, what next."""
    rows = {} if setup_seconds is None else {"set-up": setup_seconds}
    rows |= taken | {"together": (setup_seconds or 0.0) + sum(taken.values())}
    table = "\n".join(f"  {name:<18}{seconds:7.1f} s" for name, seconds in rows.items())
    count = len(list((out / "new_sounds").glob("seed*.wav")))
    return f"""
{count} new sounds, each as .wav and .png: {out / "new_sounds"}
The notes that they were learned from: {out / "sounds"}
The training, with snapshots to look at and listen to: {out / "training"}

{table}

What to expect: a small network had a few minutes with {settings.count} notes of {settings.seconds:.1f} s each.
It has about learned how loud, bright, wide and long the notes are, and how they begin and fade.
It has not learned tones: pitches blur into noise-like texture.
More sounds of one kind (a thousand or more), a GPU and hours are the way on from here.

Your own sounds, in three commands:
  .venv/bin/python dataset_tool_wav.py --source=my_sounds --dest=datasets/mine.zip --resolution={settings.resolution} --sample-rate={settings.sample_rate}
  .venv/bin/python train.py --outdir=trained_networks --data=datasets/mine.zip --preset=tiny
  .venv/bin/python gen_audio.py --network=trained_networks --outdir=out --seeds=0-9
"""  # noqa: E501  (commands stand on one line, to be copied)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="Sounds in, new sounds out.")
    parser.add_argument("--out", type=Path, default=ROOT / "demo", help="folder for everything that is made")
    parser.add_argument("--fresh", action="store_true", help="start over, also where an earlier run can be continued")
    given = parser.parse_args(arguments)
    out = given.out.resolve()
    out = out.relative_to(ROOT) if out.is_relative_to(ROOT) else out
    os.chdir(ROOT)

    # More threads don't pay for so small a network, and where other programs run they cost: the waiting ones spin.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    settings = Settings()
    taken = run_steps(plan(settings, out), out, fresh=given.fresh)
    setup = os.environ.get("SETUP_SECONDS")
    print(closing_words(settings, out, taken, float(setup) if setup else None))


if __name__ == "__main__":
    main()
