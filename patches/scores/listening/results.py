# SPDX-License-Identifier: Apache-2.0
"""Turns what listeners sent back into mean opinion scores with 95 % intervals, printed and written to TEST/mos.json.

    python -m patches.scores.listening.results test/ answers/*.json [--scores run/metric-kad.jsonl ...]

With --scores (JSON lines of patches.scores.rows.Score) each score's correlation with the opinions stands below.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from patches.console import EXIT_INTERRUPTED, EXIT_MISTAKE, one_line
from patches.errors import UserError
from patches.scores.listening.answers import Answer, Key, read_answers, read_key
from patches.scores.listening.correlation import Correlation, read_scores, with_opinions
from patches.scores.listening.opinion import METHOD, Opinion, by_device, consistency, opinions
from spect.files import write_text
from stylegan3.metrics.estimate import Estimate

RESULT = "mos.json"


def parser() -> argparse.ArgumentParser:
    """Say what the command takes."""
    made = argparse.ArgumentParser(
        prog="python -m patches.scores.listening.results", description="Mean opinion scores of a listening test."
    )
    made.add_argument("test", type=Path, help="the folder with the test's key.json")
    made.add_argument("answers", type=Path, nargs="+", help="the files that listeners sent back")
    made.add_argument("--scores", type=Path, nargs="+", default=[], metavar="FILE", help="metric-*.jsonl to correlate")
    made.add_argument("--out", type=Path, metavar="FILE", help=f"[default: {RESULT} in the test's folder]")
    return made


def evaluate(key: Key, answers: Sequence[Answer], files: Sequence[Path]) -> tuple[dict[str, Any], list[str]]:
    """Compute all that is told: mos.json's content, and a line for each file of scores left out.

    Raises:
        UserError: no answers.
    """
    if not answers:
        raise UserError("no file holds answers to this test; give those that its page saved")

    def score(some: Sequence[Answer]) -> dict[str, Opinion]:
        return opinions(some, key.clips, key.systems)

    systems = score(answers)
    rated = {name: one.mos.value for name, one in systems.items() if one.ratings}
    rows, left_out = read_scores(files)
    return {
        "test": key.test,
        "method": METHOD,
        "listeners": len(answers),
        "systems": [{"system": name, "kind": key.systems[name], **_opinion(one)} for name, one in systems.items()],
        "devices": {
            device: {name: _opinion(one) for name, one in some.items()}
            for device, some in by_device(answers, score).items()
        },
        "consistency": _finite(asdict(consistency(answers))),
        "by_listener": {one.listener: _listener(one) for one in answers},
        "correlations": [_correlation(one) for one in with_opinions(rows, rated)],
    }, left_out


def table(result: dict[str, Any]) -> str:
    """Lay the result out for a terminal."""
    width = max(len(one["system"]) for one in result["systems"]) + 2
    lines = [f"{'':<{width}}MOS    95 % interval  ratings  listeners  clips"]
    for one in result["systems"]:
        counts = f"{one['ratings']:>7}  {one['listeners']:>9}  {one['clips']:>5}"
        lines.append(f"{one['system']:<{width}}{_told(one['mos'], 2):<20}  {counts}")
    lines.append(f"({result['method']})")
    for device, systems in result["devices"].items():
        lines.append(f"on {device}, listeners: {max(one['listeners'] for one in systems.values())}")
        lines += [f"  {name:<{width}}{_told(one['mos'], 2)}" for name, one in systems.items()]
    return "\n".join([*lines, _consistent(result["consistency"]), *_correlated(result["correlations"])])


def _consistent(found: dict[str, Any]) -> str:
    if not found["pairs"]:
        return "consistency: no clip was heard twice"
    equal, near = (f"{100 * found[name]:.0f} %" for name in ("equal", "within_one"))
    return f"consistency: {found['pairs']} clips heard twice: {equal} rated alike, {near} at most 1 apart"


def _correlated(found: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["correlation with MOS, over systems:"] if found else []
    for one in found:
        figures = "  ".join(f"{name} {_told(one[name], 2)}" for name in ("pearson", "spearman"))
        name = " ".join(filter(None, (one["metric"], one["value"], f"({one['features']})" * bool(one["features"]))))
        lines.append(f"  {name}: n {one['systems']}  {figures}")
    return lines


def _told(bounds: Sequence[float | None], digits: int) -> str:
    value, low, high = bounds
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + (
        f"  [{low:.{digits}f}, {high:.{digits}f}]" if low is not None else "  [no interval]"
    )


def _opinion(one: Opinion) -> dict[str, Any]:
    return {**asdict(one), "mos": _bounds(one.mos)}


def _listener(one: Answer) -> dict[str, Any]:
    return {"device": one.device, "ratings": len(one.heard), **_finite(asdict(consistency([one])))}


def _correlation(one: Correlation) -> dict[str, Any]:
    found = {name: _bounds(estimate) for name, estimate in one.by_name.items()}
    return {"metric": one.metric, "features": one.features, "value": one.value, "systems": one.systems, **found}


def _bounds(one: Estimate) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in (one.value, one.low, one.high)]


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def run(given: argparse.Namespace) -> str:
    """Write mos.json and name what is left out on stderr; return the table."""
    key = read_key(given.test)
    answers, left_out = read_answers(given.answers, key)
    _complain(left_out)
    result, more = evaluate(key, answers, given.scores)
    _complain(more)
    out = given.out or given.test / RESULT
    write_text(out, json.dumps({**result, "left_out": left_out + more}, indent=1, allow_nan=False) + "\n")
    return f"{table(result)}\n{out}"


def _complain(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; a user's mistake is one line and 2, Ctrl-C one and 130."""
    try:
        print(run(parser().parse_args(arguments)))
    except (Exception, KeyboardInterrupt) as error:
        line = one_line(error)
        if line is None:
            raise
        print(f"listening.results: {line}", file=sys.stderr)
        return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_MISTAKE
    return 0


if __name__ == "__main__":
    sys.exit(main())
