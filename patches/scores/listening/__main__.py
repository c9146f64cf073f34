# SPDX-License-Identifier: Apache-2.0
"""Makes a listening test of networks: OUT/index.html, one page to send to listeners, and OUT/key.json, which stays.

python -m patches.scores.listening --networks a,b --data archive.zip --out test/
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from patches.console import EXIT_INTERRUPTED, EXIT_MISTAKE, choose_device, one_line
from patches.data import open_data
from patches.errors import UserError
from patches.generate.network import find_networks
from patches.scores.listening.make import KEY, PAGE, QUESTION, make_test, write_test
from patches.scores.listening.systems import TRAIN, network_systems, real_systems

MEGABYTE = 1e6


def parser() -> argparse.ArgumentParser:
    """Say what the command takes."""
    made = argparse.ArgumentParser(prog="python -m patches.scores.listening", description="Make a listening test.")
    add = made.add_argument
    add("--networks", required=True, metavar="A,B,...", help="snapshots, runs (their newest) or patterns")
    add("--data", required=True, type=Path, metavar="ARCHIVE", help="where the real sounds are taken from")
    add("--out", required=True, type=Path, metavar="FOLDER", help="a new folder")
    add("--clips", type=int, default=10, metavar="N", help="sounds of each system  [default: 10]")
    add("--repeats", type=int, default=4, metavar="N", help="sounds heard twice, unannounced  [default: 4]")
    add("--seed", type=int, default=0, metavar="N", help="of all that is drawn; networks' seeds count from it")
    add("--trunc", type=float, default=1.0, metavar="PSI", help="truncation psi  [default: 1, none]")
    add("--question", default=QUESTION, metavar="TEXT", help=f"what is asked  [default: {QUESTION}]")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N  [default: auto]")
    return made


def make(given: argparse.Namespace) -> str:
    """Make the test; return what to tell.

    Raises:
        UserError, SoundError: a mistake of the user's.
    """
    for name, least in (("clips", 1), ("repeats", 0), ("seed", 0)):
        if getattr(given, name) < least:
            raise UserError(f"--{name}={getattr(given, name)}: at least {least}")
    paths, archive = find_networks([name for name in given.networks.split(",") if name]), open_data(given.data)
    if not paths:
        raise UserError("--networks: names nothing; give snapshots or runs, separated by commas")
    device = choose_device(given.device)
    made, view = network_systems(paths, archive, given.clips, given.seed, given.trunc, device)
    systems = made + real_systems(archive, view, given.clips, given.seed)
    page, key = make_test(systems, seed=given.seed, repeats=given.repeats, question=given.question)
    write_test(given.out, page, key)
    return told(given.out, page, key)


def told(out: Path, page: str, key: dict) -> str:
    """Say what was made, how levels and counts came about, and what to do with it."""
    lines = [f"{one['name']}: {one['clips']} clips" for one in key["systems"]]
    if any(one["name"].startswith(TRAIN) and one["kind"] == "anchor" for one in key["systems"]):
        lines.append("no sounds are held out in this archive: the real ones are of the train split, and named so")
    lowered = f"all lowered by {-key['gain_db']:.1f} dB to fit" if key["gain_db"] else "untouched"
    lines.append(f"levels: {lowered}; each {key['seconds']:.3g} s")
    lines.append(
        f"{out / PAGE}: {len(page) / MEGABYTE:.1f} MB, the page to send; listeners send a file of answers back"
    )
    lines.append(f"{out / KEY}: which clip is whose; keep it to yourself")
    lines.append(f"then: python -m patches.scores.listening.results {out} answers/*.json")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; a user's mistake is one line and 2, Ctrl-C one and 130."""
    try:
        print(make(parser().parse_args(arguments)))
    except (Exception, KeyboardInterrupt) as error:
        line = one_line(error)
        if line is None:
            raise
        print(f"listening: {line}", file=sys.stderr)
        return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_MISTAKE
    return 0


if __name__ == "__main__":
    sys.exit(main())
