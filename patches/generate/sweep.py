# SPDX-License-Identifier: Apache-2.0
"""Sweep a series of sounds over snapshots and write what comes out; one bad snapshot doesn't end the sweep.

A snapshot that can't be opened, or whose every output is not finite, is left out with its reason and the rest goes on.
Errors of the disk end it: what was written by then stays, whole.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from patches.errors import ONE_LINE_ERRORS, UserError
from patches.generate.asked import Asked, Choices
from patches.generate.choices import Output, Settings
from patches.generate.files import OutputFolder, Written, subfolders, write_sound
from patches.generate.network import Network, open_network, read_conditions
from patches.generate.pages import Page
from patches.generate.series import Series
from patches.generate.synthesis import Batch, batches, check_layers, settled, synthesize
from patches.generate.video import Clip, write_video
from stylegan3.ops import engines
from stylegan3.ops.interfaces import Impl

Step = Callable[[int], None]


@dataclass
class Outcome:
    """What a sweep came to: sounds written, sounds not finite and so not written, snapshots left out and why."""

    written: list[Written] = field(default_factory=list)
    not_finite: list[str] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    pages: list[tuple[str, Path]] = field(default_factory=list)
    sample_rate: int = 0
    subtype: str = "PCM_24"
    notes: list[str] = field(default_factory=list)
    network_seconds: float = 0.0
    decode_seconds: float = 0.0

    def took(self, batch: Batch) -> None:
        """Add a batch's time."""
        self.network_seconds += batch.network_seconds
        self.decode_seconds += batch.decode_seconds


@dataclass(frozen=True)
class Sweep:
    """A sweep's plan: the same series and settings for each snapshot; what is `asked` for is looked up in each.

    `ffmpeg`: the program that makes a video of each snapshot's sounds; None: no video.
    """

    paths: list[Path]
    series: Series
    settings: Settings
    asked: Asked
    output: Output
    outdir: Path
    batch: int
    device: torch.device
    ops: Impl = "auto"
    ffmpeg: str | None = None

    @property
    def sounds(self) -> int:
        """How many sounds the sweep is to make."""
        conditions = conditions_of(self.paths[0], self.asked) if self.asked.makes_all else 1
        return len(self.paths) * self.series.count * conditions

    def announcement(self) -> Iterator[str]:
        """Say what will be done, with the choices that were made for the user."""
        what = self.paths[0] if len(self.paths) == 1 else f"{len(self.paths)} snapshots"
        yield f"{what}: {self.series.told}, batch {self.batch}, on {self.device}"
        for line in engines.announced(self.device, self.ops):
            yield f"Operations: {line}"

    def run(self, step: Step) -> Outcome:
        """Write all sounds, calling `step(sounds)` after each batch.

        Raises:
            UserError: nothing at all could be written; the reason of the first snapshot.
        """
        with OutputFolder(self.outdir):
            return self._sweep(step)

    def _sweep(self, step: Step) -> Outcome:
        outcome = Outcome(subtype=self.output.subtype)
        page = self.series.page(len(self.paths) + self.asked.makes_all)
        names = subfolders(self.paths) if len(self.paths) > 1 else [""]
        for path, name in zip(self.paths, names, strict=True):
            try:
                self._snapshot(path, self.outdir / name, page, outcome, step)
            except ONE_LINE_ERRORS as error:
                outcome.left_out.append((path, str(error)))
        check_anything_left(outcome)
        _note(outcome, "table", page.close(self.outdir) if page else None)
        return outcome

    def _snapshot(self, path: Path, folder: Path, page: Page | None, outcome: Outcome, step: Step) -> None:
        network = open_snapshot(path, self.device, self.ops)
        choices = choose(network, self.asked)
        check_layers(network, self.series.layers)
        outcome.sample_rate = network.view.sample_rate
        outcome.notes += [note for note in choices.notes if note not in outcome.notes]
        before = len(outcome.written)
        with OutputFolder(folder):
            self._conditions(network, choices, folder, page, outcome, step)
            if len(outcome.written) == before:
                raise UserError(f"{path}: every sound it makes holds NaN or infinity; take an earlier snapshot")

    def _conditions(
        self, network: Network, choices: Choices, folder: Path, page: Page | None, outcome: Outcome, step: Step
    ) -> None:
        one = len(choices) == 1
        for chosen in choices:
            settings = self.settings.with_condition(chosen)
            if page:
                label = f"{network.kimg:g} kimg" + ("" if one or chosen is None else f", {chosen.told()}")
                page.begin(label, settings.suffix(), settings.suffix() if one else f"{self.settings.suffix()}_all")
            self._condition(network, settings, folder, page, outcome, step)

    def _condition(
        self, network: Network, settings: Settings, folder: Path, page: Page | None, outcome: Outcome, step: Step
    ) -> None:
        before = len(outcome.written)
        with settled():
            for parts in (parts for group in self.series.groups() for parts in batches(group, self.batch)):
                batch = synthesize(network, [part.point for part in parts], settings)
                outcome.took(batch)
                _write_batch(folder, network, batch, settings, self.output, outcome)
                for part, picture in zip(parts, batch.pictures, strict=True):
                    if page:
                        page.put(part.cells, picture)
                step(len(parts))
        written = outcome.written[before:]
        if not written:
            return
        _note(outcome, "table", page.end(folder) if page else None)
        if self.ffmpeg:
            film = folder / f"{self.series.name}{settings.suffix()}.mp4"
            clips = [Clip(one.wav, one.png, network.view.samples) for one in written]
            write_video(film, clips, network.view.sample_rate, self.ffmpeg)
            _note(outcome, "video", film)


def _note(outcome: Outcome, what: str, path: Path | None) -> None:
    if path:
        outcome.pages.append((what, path))


def choose(network: Network, asked: Asked) -> Choices:
    """Find in a network what is asked for.

    Raises:
        UserError: it isn't there.
    """
    try:
        return asked.choose(network.conditions)
    except UserError as error:
        raise UserError(f"{error} [{network.path.name}]") from None


def conditions_of(path: Path, asked: Asked) -> int:
    """Tell how many conditions are asked for of a snapshot; 1 where it can't be opened, which is told later."""
    try:
        return len(asked.choose(read_conditions(path)))
    except (OSError, *ONE_LINE_ERRORS):
        return 1


def open_snapshot(path: Path, device: torch.device, ops: Impl) -> Network:
    """Open a snapshot; an unreadable file is a bad snapshot, not the end."""
    try:
        return open_network(path, device, ops)
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror})") from error


def _write_batch(
    folder: Path, network: Network, batch: Batch, settings: Settings, output: Output, outcome: Outcome
) -> None:
    for position, point in enumerate(batch.points):
        written = write_sound(folder, network, batch, position, settings, output)
        if written is None:
            outcome.not_finite.append(f"{network.path.name} {point.told}")
        else:
            outcome.written.append(written)


def check_anything_left(outcome: Outcome) -> None:
    if outcome.written:
        return
    if len(outcome.left_out) == 1:
        raise UserError(outcome.left_out[0][1])
    reasons = "; ".join(reason for _, reason in outcome.left_out[:3])
    raise UserError(f"--network: none of {len(outcome.left_out)} snapshots can be used: {reasons}")
