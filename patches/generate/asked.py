# SPDX-License-Identifier: Apache-2.0
"""--class, --pitch, --value and --vector: read for a network, with what to say where something was chosen for the user.

Classes must be asked for; values that aren't are at their mean over the sounds that were learned.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from patches.conditions import Condition, Conditions, class_numbers
from patches.errors import UserError
from patches.generate.asked_parts import choices_of, example, learned, listed, notes_of, read_vector, weighted
from patches.generate.conditions import Chosen, one_hot, short
from spect.archive.sets import CLASSES, VALUES
from spect.dataset.labels_set import PITCH, number
from spect.pitch import midi_note

ALL = "all"


@dataclass(frozen=True)
class Asked:
    """Texts of the options.

    Args:
        classes: each CLASS, a mix CLASS:WEIGHT,CLASS:WEIGHT, 'all', or one of these after SET=.
        pitch: a MIDI number or a note's name.
        values: each NAME=NUMBER.
        vectors: each FILE.npy or NAME=FILE.npy.
    """

    classes: tuple[str, ...] = ()
    pitch: str | None = None
    values: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()

    @property
    def makes_all(self) -> bool:
        """Whether every class is asked for."""
        return any(text.rpartition("=")[2].strip() == ALL for text in self.classes)

    @property
    def options(self) -> dict[str, object]:
        """The options by name, None where not given."""
        given = {"--class": self.classes, "--pitch": self.pitch, "--value": self.values, "--vector": self.vectors}
        return {name: value or None for name, value in given.items()}

    def choose(self, conditions: Conditions) -> "Choices":
        """Find what is asked for in a network: one condition, or one for each class where 'all' of a set are.

        Raises:
            UserError: in one line, what a network lacks or wants.
        """
        found = Choices(conditions)
        if not conditions.sets:
            self._refuse()
        for text in self.classes:
            found.add_classes(text)
        if self.pitch is not None:
            found.add_pitch(self.pitch)
        for text in self.vectors:
            found.add_vector(text)
        for text in self.values:
            found.add_value(text)
        found.fill()
        return found

    def _refuse(self) -> None:
        for option, given in self.options.items():
            if given is not None:
                text = given if isinstance(given, str) else next(iter(given))  # type: ignore[call-overload]
                raise UserError(
                    f"{option}={text}: this network was trained without classes and values (train.py --cond); "
                    f"leave {option} away"
                )


@dataclass
class Choices:
    """What was found so far: alternatives for each set, of which only 'all' gives several; and what to tell."""

    conditions: Conditions
    found: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Chosen | None]:
        if not self.conditions.sets:
            yield None
            return
        options = [self.found[one.name] for one in self.conditions.sets]
        several = max(range(len(options)), key=lambda at: len(options[at]))
        for numbers in options[several]:
            row = [one[0] if at != several else numbers for at, one in enumerate(options)]
            yield Chosen(self.conditions, tuple(row))

    def __len__(self) -> int:
        return max((len(options) for options in self.found.values()), default=1)

    def add_classes(self, text: str) -> None:
        """Read --class."""
        condition, rest = self._class_set(text)
        if rest == ALL and ALL not in condition.classes:
            if len(self) > 1:
                raise UserError(f"--class={text}: all of one set at a time")
            return self._put(condition, [one_hot(condition, at) for at in range(len(condition.classes))], "--class")
        weights = [0.0] * len(condition.classes)
        parts = [rest] if rest in condition.classes else rest.split(",")
        read = [weighted(condition, part.strip(), text, len(parts) > 1) for part in parts]
        for index, weight in read:
            weights[index] += weight
        total = sum(weights)
        if abs(total - 1) > 1e-9 and any(":" in part for part in parts):
            self.notes.append(f"--class={text}: the weights sum to {total:g} and are taken as parts of it")
        return self._put(condition, [tuple(weight / total for weight in weights)], "--class")

    def _class_set(self, text: str) -> tuple[Condition, str]:
        sets = {one.name: one for one in self.conditions.sets if one.kind == CLASSES}
        name, equals, rest = text.partition("=")
        if not sets:
            raise UserError(f"--class={text}: this network learned no classes but {learned(self.conditions)}")
        if equals and name.strip() in sets:
            return sets[name.strip()], rest.strip()
        if len(sets) == 1:
            return next(iter(sets.values())), text.strip()
        holding = [one for one in sets.values() if text.strip() in one.classes]
        if len(holding) == 1:
            return holding[0], text.strip()
        first = next(iter(sets.values()))
        raise UserError(
            f"--class={text}: say of which set, as in {first.name}={first.classes[0]}; there are "
            + "; ".join(f"{one.name}: {listed(one.classes)}" for one in sets.values())
        )

    def add_pitch(self, text: str) -> None:
        """Read --pitch."""
        note = midi_note(text)
        if note is None:
            raise UserError(f"--pitch={text}: give a MIDI number from 0 to 127, or a note such as C#3 (C4 is 60)")
        condition = self._named(PITCH, f"--pitch={text}")
        if condition.kind == VALUES:
            return self._set_value(condition, 0, note, f"--pitch={text}")
        numbers = class_numbers(condition.classes)
        if note not in numbers:
            raise UserError(f"--pitch={text}: MIDI {note:g} is none of its pitches; choose one of {notes_of(numbers)}")
        return self._put(condition, [one_hot(condition, int((numbers == note).argmax()))], "--pitch")

    def add_value(self, text: str) -> None:
        """Read --value."""
        name, equals, written = (part.strip() for part in text.partition("="))
        read = number(written) if number(written) is not None else midi_note(written)
        if not equals or read is None or not math.isfinite(read):
            raise UserError(f"--value={text}: give NAME=NUMBER, such as brightness=0.4")
        for one in self.conditions.sets:
            if one.kind == VALUES and one.width == 1 and name == one.name:
                return self._set_value(one, 0, read, f"--value={text}")
            columns = [f"{one.name}.{column}" for column in one.columns]
            if name in (*one.columns, *columns):
                at = one.columns.index(name) if name in one.columns else columns.index(name)
                return self._set_value(one, at, read, f"--value={text}")
        raise UserError(f"--value={text}: this network learned no value {name!r} but {learned(self.conditions)}")

    def _set_value(self, condition: Condition, at: int, value: float, told: str) -> None:
        assert condition.spread is not None
        low, high = condition.spread.minimum[at], condition.spread.maximum[at]
        if not low <= value <= high:
            self.notes.append(f"{told}: outside of what it learned, {low:g} to {high:g}")
        numbers = list(self.found.get(condition.name, [condition.spread.mean])[0])
        numbers[at] = value
        self.found[condition.name] = [tuple(numbers)]

    def add_vector(self, text: str) -> None:
        """Read --vector."""
        name, equals, place = text.partition("=")
        if not equals or Path(text).is_file():
            name, place = "", text
        vector = read_vector(Path(place), text)
        fitting = [one for one in self.conditions.sets if one.kind == VALUES and one.width == len(vector)]
        if name:
            fitting = [self._named(name.strip(), f"--vector={text}")]
        if len(fitting) != 1 or fitting[0].kind != VALUES or fitting[0].width != len(vector):
            wanted = [f"{one.name} takes {one.width}" for one in self.conditions.sets if one.kind == VALUES]
            listed = ", ".join(wanted) or "this network learned no values"
            raise UserError(f"--vector={text}: it holds {len(vector)} numbers; {listed} (NAME=FILE says which)")
        self._put(fitting[0], [vector], "--vector")

    def _named(self, name: str, told: str) -> Condition:
        found = next((one for one in self.conditions.sets if one.name == name), None)
        if found is None:
            raise UserError(f"{told}: this network learned no {name} but {learned(self.conditions)}")
        return found

    def _put(self, condition: Condition, options: list[tuple[float, ...]], told: str) -> None:
        if condition.name in self.found:
            raise UserError(f"{told}: {condition.name} is given twice; mix classes as in {example(condition)}")
        self.found[condition.name] = options

    def fill(self) -> None:
        """Take the mean for values that weren't asked for; refuse classes that weren't."""
        for one in self.conditions.sets:
            if one.name in self.found:
                continue
            if one.kind == CLASSES:
                option = "--class" if len(self.conditions.sets) == 1 else f"--class {one.name}="
                raise UserError(
                    f"{option}: this network was trained with classes; choose one of {choices_of(one)}, a mix such as "
                    f"{example(one)}, or all"
                )
            assert one.spread is not None
            self.found[one.name] = [one.spread.mean]
            self.notes.append(f"{one.name} wasn't given: its mean{f', {short(one.spread.mean[0])}' * (one.width == 1)}")
