# SPDX-License-Identifier: Apache-2.0
"""What listeners sent back: read, held against the key, and said of in one line where it is of no use."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patches.errors import UserError
from patches.scores.listening.make import KEY
from patches.scores.listening.make import KIND as KEY_KIND
from patches.scores.listening.make import VERSION as KEY_VERSION

KIND, VERSION = "sg3-spect listening answers", 1
DEVICES = ("headphones", "speakers", "laptop", "phone")


@dataclass(frozen=True)
class Key:
    """What a test's clips are: clip to system; and its systems in order, name to kind."""

    test: str
    systems: dict[str, str]
    clips: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What one listener said: (clip, rating 1 to 5) in the order heard; a clip's second time is its repeat."""

    listener: str
    device: str
    heard: tuple[tuple[str, int], ...]

    @property
    def first(self) -> dict[str, int]:
        """Each clip's first rating."""
        return dict(reversed(self.heard))

    @property
    def repeats(self) -> tuple[tuple[int, int], ...]:
        """First and second rating of the clips heard twice."""
        first, seen, pairs = self.first, set(), []
        for clip, rating in self.heard:
            if clip in seen:
                pairs.append((first[clip], rating))
            seen.add(clip)
        return tuple(pairs)


def read_key(folder: Path) -> Key:
    """Read the key of a test.

    Raises:
        UserError: the folder holds none, or one of another kind or version.
    """
    path = folder / KEY
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["kind"] != KEY_KIND or values["version"] > KEY_VERSION:
            raise ValueError("of another kind or a newer version")
        systems = {one["name"]: one["kind"] for one in values["systems"]}
        clips = {name: clip["system"] for name, clip in values["clips"].items()}
        if not set(clips.values()) <= set(systems):
            raise ValueError("clips of systems that it doesn't list")
        return Key(values["test"], systems, clips)
    except OSError:
        raise UserError(f"{path}: can't be read; give the folder that patches.scores.listening wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a listening test's key ({error})") from None


def read_answers(paths: Sequence[Path], key: Key) -> tuple[list[Answer], list[str]]:
    """Read files of answers, one a listener: of two by the same one, that with more ratings, the later of equals.

    Returns:
        the answers, and a line for each file that was left out.
    """
    found: dict[str, tuple[Path, Answer]] = {}
    left_out = []
    for path in paths:
        try:
            answer = parse(path.read_text("utf-8"), key)
        except (OSError, ValueError) as error:
            left_out.append(f"{path}: {_reason(error)}: left out")
            continue
        former = found.get(answer.listener)
        if former is not None:
            fewer, more = sorted((former, (path, answer)), key=lambda one: len(one[1].heard))
            left_out.append(f"{fewer[0]}: the same listener's as {more[0]}, which is used: left out")
            found[answer.listener] = more
        else:
            found[answer.listener] = (path, answer)
    return [answer for _, answer in found.values()], left_out


def parse(text: str, key: Key) -> Answer:
    """Read one file's text.

    Raises:
        ValueError: what is wrong with it, in a few words.
    """
    values = json.loads(text)
    if not isinstance(values, dict) or values.get("kind") != KIND:
        raise ValueError("no answers of a listening test")
    if values.get("version") != VERSION:
        raise ValueError(f"of version {values.get('version')}, this program reads {VERSION}")
    if values.get("test") != key.test:
        raise ValueError(f"answers to another test ({values.get('test')}, not {key.test})")
    listener, device, trials = (values.get(name) for name in ("listener", "device", "trials"))
    if not isinstance(listener, str) or not listener or device not in DEVICES:
        raise ValueError("damaged: no listener, or an unknown device")
    if not isinstance(trials, list) or not trials:
        raise ValueError("holds no ratings")
    return Answer(listener, device, tuple(_trial(one, key) for one in trials))


def _trial(trial: Any, key: Key) -> tuple[str, int]:
    clip, rating = (trial.get(name) for name in ("clip", "rating")) if isinstance(trial, dict) else (None, None)
    if not isinstance(clip, str) or clip not in key.clips:
        raise ValueError("damaged: rates a clip that the test doesn't have")
    if type(rating) is not int or not 1 <= rating <= 5:
        raise ValueError(f"damaged: a rating of {rating!r}, allowed are 1 to 5")
    return clip, rating


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "not JSON"
    return (error.strerror or "can't be read") if isinstance(error, OSError) else str(error)
