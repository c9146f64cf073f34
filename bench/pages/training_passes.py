# SPDX-License-Identifier: Apache-2.0
"""What bench/train.py runs: iterations of a training whose data lie on disk, and where their time goes."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.pages.network_passes import resident
from bench.pages.training_data import CHANNELS, Seen, stored
from patches.augment import SoundAugment
from stylegan3.configs import CONFIGURATIONS, discriminator_spec, generator_spec
from stylegan3.ops.native.memory import keep_freed
from stylegan3.training.ranks import Alone, Ranks
from stylegan3.training.recorded import WARM, recorder_for
from stylegan3.training.setup import Hyperparameters, Setup
from stylegan3.training.trainer import Trainer
from stylegan3.training.transfer import ahead

WORKERS = 2
ITERATIONS = 4  # of a round: the first has every phase, and ADA's interval ends once
INNER = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WAITING, REST = "waiting for data", "rest"


@dataclass(frozen=True)
class Training:
    """A training to measure: what, on what, and in which ways (operations/precision).

    Args:
        p: the probability of each augmentation, where ADA begins; 0: neither.
    """

    cfg: str
    size: int
    batch: int
    cbase: int
    cmax: int
    device: str
    ways: tuple[str, ...]
    batch_gpu: int | None = None
    rounds: int = 3
    p: float = 0.2

    def to_dict(self) -> dict[str, Any]:
        """Return values that JSON can hold."""
        return asdict(self)


@dataclass
class Clock:
    """Attributes the time between any two marks to the innermost part that stands open then.

    Parts are those that the trainer names (stylegan3/training/spans.py). On a GPU a mark is an event in its stream.
    """

    device: torch.device
    marks: list[tuple[str, Any]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure a part."""
        self.opened.append(name)
        self._mark()
        yield
        self.opened.pop()
        self._mark()

    def _mark(self) -> None:
        if self.device.type == "cuda":
            now: Any = torch.cuda.Event(enable_timing=True)
            now.record()
        else:
            now = time.perf_counter()
        self.marks.append((self.opened[-1] if self.opened else REST, now))

    def read(self) -> dict[str, float]:
        """Return the seconds of each part since the last reading."""
        found: dict[str, float] = {}
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        for (name, begin), (_, end) in zip(self.marks, self.marks[1:], strict=False):
            seconds = begin.elapsed_time(end) / 1000 if self.device.type == "cuda" else end - begin
            found[name] = found.get(name, 0.0) + seconds
        self.marks.clear()
        return found


def setup_of(training: Training, way: str, data: Any, ranks: int = 1) -> Setup:
    """Return the setup of one way, `ops/precision`, on so many ranks."""
    ops, precision = way.split("/")
    numbers = CONFIGURATIONS[training.cfg]
    shape = (CHANNELS, training.size, training.size)
    widths: dict[str, Any] = {"c_dim": 0, "cbase": training.cbase, "cmax": training.cmax, "embed_dim": 0}
    hyper = Hyperparameters(
        batch=training.batch, batch_gpu=training.batch_gpu, ranks=ranks, gamma=1.0, g_lr=numbers.g_lr,
        ema_kimg=1.0, aug="ada" if training.p else "noaug",
        style_mixing=numbers.style_mixing, path_length_weight=numbers.path_length_weight,
    )  # fmt: skip
    return Setup(
        dataset=data,
        generator=generator_spec(training.cfg, shape, map_depth=numbers.mapping_layers, z_dim=512, w_dim=512, **widths),
        discriminator=discriminator_spec(shape, group=4, **widths),
        hyper=hyper,
        sheet=lambda folder, name, pictures: {},
        augment=SoundAugment(Seen(training.size)),  # type: ignore[arg-type]
        ops=ops,  # type: ignore[arg-type]
        inner=INNER[precision],
    )


class Runner:
    """A training in one way, ready to take iterations that are measured."""

    def __init__(
        self, training: Training, way: str, data: Any, ranks: Ranks | None = None, *, recorded: bool = True
    ) -> None:
        device, ranks = torch.device(training.device), ranks or Alone()
        self.clock = Clock(device)
        self._tf32 = way.endswith("tf32")
        torch.backends.cudnn.benchmark = True  # as train.py does
        recorder = recorder_for(device) if recorded else None
        self.trainer = Trainer(setup_of(training, way, data, ranks.count), device, ranks, self.clock, recorder)
        self.trainer.ada.p = training.p
        self._batches = ahead(self.trainer.batches(WORKERS), device)
        # seconds that a round's iterations waited on average: the CPU for a batch, or the card for its copy
        self.waits: list[float] = []

    def warm_up(self) -> list[str]:
        """Have kernels built, memory taken and phases recorded; return what the trainer said."""
        for _ in range(WARM + 1 if self.trainer.device.type == "cuda" else 1):
            self.iterate(2)
        self.waits.clear()
        return self.trainer.said()

    def iterate(self, count: int) -> dict[str, float]:
        """Take iterations, the first with every phase; return the seconds of each part."""
        batch = self.trainer.setup.hyper.batch
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = self._tf32
        self.trainer.images = 16 * batch
        waited = 0.0
        for _ in range(count):
            with self.clock(WAITING):
                asked = time.perf_counter()
                pictures, labels = next(self._batches)
                waited += time.perf_counter() - asked
            self.trainer.step(pictures, labels)
        found = self.clock.read()
        self.waits.append(max(waited, found[WAITING]) / count)
        return found

    def average(self) -> dict[str, float]:
        """Take a round's iterations; return the seconds of each part of an average one."""
        return averaged(self.iterate(ITERATIONS), self.intervals, ITERATIONS)

    @property
    def intervals(self) -> dict[str, int]:
        """How often each phase comes."""
        return {phase.name: phase.interval for phase in self.trainer.phases}


def averaged(parts: dict[str, float], intervals: dict[str, int], count: int) -> dict[str, float]:
    """Return an average iteration's seconds by part, from `count` iterations of which the first has every phase.

    Args:
        intervals: of the phases: a regulariser comes every so many iterations, and came once.
    """
    once = {name: every for name, every in intervals.items() if every > 1}
    return {name: seconds / once.get(name, count) for name, seconds in parts.items()}


def timed(training: Training) -> list[dict[str, Any]]:
    """Return a row for each way: parts of an iteration and s/kimg, medians over rounds in turns."""
    if training.device == "cpu":
        keep_freed()  # as train.py does
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        runners = {way: Runner(training, way, stored(Path(folder), training.size)) for way in training.ways}
        found: dict[str, list[dict[str, float]]] = {way: [] for way in runners}
        said = {way: runner.warm_up() for way, runner in runners.items()}
        for _ in range(training.rounds):
            for way, runner in runners.items():
                found[way].append(runner.average())
        for way, runner in runners.items():
            parts = {name: median(one.get(name, 0.0) for one in found[way]) for name in found[way][0]}
            ops, precision = way.split("/")
            about = {name: value for name, value in training.to_dict().items() if name not in ("ways", "rounds")}
            seconds = median(sum(one.values()) for one in found[way])
            rows.append(
                about
                | {
                    "way": ops,
                    "precision": precision,
                    "seconds": seconds,
                    "s_per_kimg": 1000 * seconds / training.batch,
                }
                | {"parts": parts, "waiting_share": median(runner.waits) / seconds, "said": said[way]}
            )
    return rows


class Started(TorchDispatchMode):
    """Counts, by the part that stands open, what torch starts: a card's host must have begun it all by itself.

    Views and allocations are nothing; our own kernels, which aren't torch's, are left out.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.counts: dict[str, float] = {}
        self._clock = clock

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if _computes(func):
            part = self._clock.opened[-1] if self._clock.opened else REST
            self.counts[part] = self.counts.get(part, 0) + 1
        return func(*args, **(kwargs or {}))


@cache
def _computes(func: Any) -> bool:
    returns = func._schema.returns
    if not returns:
        return bool(func.namespace == "aten")  # of lists of tensors, which are changed where they are
    views = any(found.alias_info is not None and not found.alias_info.is_write for found in returns)
    named = any(word in func._schema.name for word in ("empty", "view"))
    return not views and not named and any("Tensor" in str(found.type) for found in returns)


def footprint(training: Training) -> dict[str, float]:
    """Return what the first way needs: GB at the peak, of the card or of this process, and operations an iteration.

    On a card also the seconds that augmentation takes where no phase is replayed: a replay has no parts.
    """
    if training.device == "cpu":
        keep_freed()
    with tempfile.TemporaryDirectory() as folder:
        data = stored(Path(folder), training.size)
        runner = Runner(training, training.ways[0], data)
        runner.warm_up()
        found = {"gb": (resident() if training.device == "cpu" else torch.cuda.max_memory_reserved()) / 1e9}
        if training.device != "cpu":  # a replay starts one operation
            runner = Runner(training, training.ways[0], data, recorded=False)
            runner.warm_up()
            found["unrecorded_augmentation"] = runner.average()["augmentation"]
        started = Started(runner.clock)
        with started:
            runner.iterate(ITERATIONS)
        return found | {"operations": sum(averaged(started.counts, runner.intervals, ITERATIONS).values())}
