# SPDX-License-Identifier: Apache-2.0
"""A phase's passes recorded once and replayed, where a device works faster than its CPU can start the operations.

A replay repeats the same operations on the same memory (on a card a CUDA graph, captured once). So what changes between
iterations is brought to where it lay: draws, data, path length's mean. Anything else that the passes took from the CPU
would stay what it was; therefore a recording is held against plain passes, with other values than it was made with,
before it is used.
"""

import gc
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol
from weakref import WeakSet

import torch
from torch import Tensor, nn

from stylegan3.ops.timing import seconds
from stylegan3.training.blur import blurs
from stylegan3.training.draws import Draws, KeptDraws
from stylegan3.training.gradients import BUCKET_BYTES, finite
from stylegan3.training.passes import Given, Passes, Reals
from stylegan3.training.phases import Found, Phase
from stylegan3.training.ranks import Ranks
from stylegan3.training.spans import unmeasured

WARM = 2  # times that a phase runs before it is recorded: kernels are built, algorithms chosen
TAKES = 3  # of each, when both are timed
MARGIN = 1.05  # how many times as fast a replay must be, more than two measurements differ
ALLOWED = 1e-2  # how far a replay may be from plain passes, relative; bfloat16 rounds to 4e-3
TRIED_P = 0.5  # of augmentations when both are compared: ADA's own begins near 0, where they do nothing

Replay = Callable[[], None]


class Recorder(Protocol):
    """Records what a device does."""

    def record(self, passes: Callable[[], Found]) -> tuple[Found, Replay]:
        """Return what the passes fill, as they fill gradients, and what fills all of it anew; or raise an error."""


class Graphs:
    """Records CUDA graphs. They share memory: what a replay leaves must be used before the next one.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._index = torch.cuda.current_device() if device.index is None else device.index
        self._stream = torch.cuda.Stream(self._index, priority=-1)  # of those with a priority: nobody else takes one
        self._graphs: WeakSet[torch.cuda.CUDAGraph] = WeakSet()
        self._pool = torch.cuda.graph_pool_handle()
        self._failed: list[torch.cuda.CUDAGraph] = []

    def record(self, passes: Callable[[], Found]) -> tuple[Found, Replay]:
        """Capture the passes; other threads may use the device meanwhile, for data, snapshots, scores.

        Raises:
            RuntimeError: they can't be captured, there is no room, or an earlier capture failed: torch then keeps a
                state that can't be taken back.
        """
        if self._failed:
            raise RuntimeError("an earlier capture failed")
        gc.collect()  # what cycles hold would be freed while capturing, which is not permitted
        self._check_room()
        if not self._graphs:  # torch takes the pool back with its last graph
            self._pool = torch.cuda.graph_pool_handle()
        graph, first = torch.cuda.CUDAGraph(), None
        with torch.cuda.device(self._index):
            before = torch.cuda.current_stream()
            try:
                with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                    try:
                        found = passes()
                    except Exception as error:
                        first = error
                        raise
            except BaseException as error:
                self._failed.append(graph)  # torch may still ask it which streams it captures
                torch.cuda.set_stream(before)  # where beginning or ending raised, it still is the graph's
                # the allocator still waits for the end, and meanwhile frees nothing that several streams have used
                with suppress(RuntimeError):
                    torch._C._cuda_endAllocateToPool(self._index, self._pool)
                raise first or error from None  # the end of a capture that failed only says that it did
        self._graphs.add(graph)
        return found, graph.replay

    def _check_room(self) -> None:
        """Raise where plain passes and a recording don't fit beside each other."""
        lives = torch.cuda.memory_allocated(self._index)
        needed = torch.cuda.max_memory_allocated(self._index) - lives
        room = torch.cuda.mem_get_info(self._index)[0] + torch.cuda.memory_reserved(self._index) - lives
        if room < 2 * needed:
            raise RuntimeError(f"twice {needed / 2**30:.1f} GB don't fit")


def recorder_for(device: torch.device) -> Recorder | None:
    """Return what records on a device: nothing on a CPU, nor where nothing may be chosen by measuring."""
    return Graphs(device) if _may_record(device) else None


def told(device: torch.device) -> str:
    """Tell in one line what a training on this device may do."""
    if not _may_record(device):
        return "computed operation by operation (nothing may be chosen by measuring)"
    return f"captured as graphs when each has run {WARM} times, and replayed where that is right and {MARGIN}x as fast"


def _may_record(device: torch.device) -> bool:
    return device.type == "cuda" and torch.backends.cudnn.benchmark


@dataclass(frozen=True)
class Recording:
    """Recorded passes: where they find what they take, what they fill, and what repeats them."""

    given: Given
    found: Found
    gradients: Sequence[Tensor | None]
    replay: Replay

    def __call__(self, given: Given, parameters: Sequence[nn.Parameter]) -> Found:
        """Compute the rounds anew; what is returned lasts, as the gradients do, until the next replay."""
        for mine, draws in zip(self.given.draws, given.draws, strict=True):
            assert isinstance(mine, KeptDraws)
            mine.refill(draws)
        for own, reals in zip(self.given.reals, given.reals, strict=True):
            own.pictures.copy_(reals.pictures)
            if own.labels is not None and reals.labels is not None:
                own.labels.copy_(reals.labels)
        self.given.path_length_mean.copy_(given.path_length_mean)
        self.replay()
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.found


@dataclass
class RecordedPasses:
    """Passes that are recorded after a phase has run a few times, and replayed from then on if that is right and pays.

    With augmentation (p > 0) and without it a phase is recorded apart.

    Args:
        trained: the parameters that a phase's network trains, by its name.
        tell: told what became of each.
    """

    passes: Passes
    recorder: Recorder
    ranks: Ranks
    trained: dict[str, list[nn.Parameter]]
    tell: Callable[[str], None]
    _times: dict[str, int] = field(default_factory=dict)
    _recordings: dict[str, Recording] = field(default_factory=dict)

    def __call__(self, phase: Phase, given: Given, before_last: Callable[[], None] = lambda: None) -> Found:
        """Compute the rounds, as `Passes` do, or replay them."""
        if not blurs(self.passes.setup.hyper, given.draws[0].images):  # by a width that changes
            name = phase.name + ", augmented" * (phase.augments and given.draws[0].augments)
            self._times[name] = self._times.get(name, 0) + 1
            if self._times[name] == WARM + 1:
                self._try(name, phase, given)
            if name in self._recordings:
                return self._recordings[name](given, self.trained[phase.network])
        return self.passes(phase, given, before_last)

    def _try(self, name: str, phase: Phase, given: Given) -> None:
        """Record a phase; keep the recording if it does what plain passes do, and sooner. All ranks agree on it."""
        parameters, recording, reason, gain = self.trained[phase.network], None, "", 0.0
        other = replace(given, draws=[_shifted(draws, 2) for draws in given.draws])
        exchange = self._exchange(parameters)
        try:
            recording = self._recorded(phase, given)
            replay, plain = partial(recording, other, parameters), partial(self.passes, phase, other)
            results, wanted = _results(replay, parameters), _results(plain, parameters)
            # in turns, the least of each: sounds of a tick may be made beside one of them
            taken = [(_seconds(replay, parameters), _seconds(plain, parameters)) for _ in range(TAKES)]
            replayed, plainly = (min(one) for one in zip(*taken, strict=True))
            gain = plainly / (replayed + exchange)
            if not results.agree(wanted):
                reason = "replayed it gives something else"
            elif gain < MARGIN:
                reason = f"{gain:.2f}x as fast replayed"
        except Exception as error:  # whatever keeps it from being captured: plain passes go on
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            _take_gradients(parameters)
        right = torch.tensor(not reason, dtype=torch.int64, device=given.path_length_mean.device)
        self.ranks.start_min(right)()
        if recording is not None and int(right):
            self._recordings[name] = recording
            self.tell(f"{name}: recorded, {gain:.2f}x as fast replayed")
        else:
            self.tell(f"{name}: not recorded ({reason or 'another rank can not'})")

    def _exchange(self, parameters: Sequence[nn.Parameter]) -> float:
        """Return the seconds that ranks take to sum gradients: beside plain passes, but after replayed ones."""
        if self.ranks.count == 1:
            return 0.0
        size = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
        values = torch.zeros(BUCKET_BYTES // 4, device=parameters[0].device)
        self.ranks.start_sum(values)()  # the first one meets the others
        return seconds(lambda: self.ranks.start_sum(values)(), values.device) * size / BUCKET_BYTES

    def _recorded(self, phase: Phase, given: Given) -> Recording:
        """Record a phase, with other values than those that it is held against plain passes with."""
        own = Given(
            [KeptDraws(**vars(_shifted(draws, 1))) for draws in given.draws],
            [Reals(-one.pictures, None if one.labels is None else one.labels.roll(1, 0)) for one in given.reals],
            given.path_length_mean + 1,
        )
        passes, parameters = replace(self.passes, spans=unmeasured), self.trained[phase.network]
        passes(phase, own)  # draws are made
        _take_gradients(parameters)
        found, replay = self.recorder.record(lambda: passes(phase, own))
        return Recording(own, found, _take_gradients(parameters), replay)


def _results(compute: Callable[[], Found], parameters: Sequence[nn.Parameter]) -> "_Results":
    """Return what is computed; no gradients are left."""
    found = compute()
    return _Results.of(found, _take_gradients(parameters))


def _seconds(compute: Callable[[], Found], parameters: Sequence[nn.Parameter]) -> float:
    """Return how long it takes; no gradients are left."""
    taken = seconds(compute, parameters[0].device)
    _take_gradients(parameters)
    return taken


def _shifted(draws: Draws, by: int) -> Draws:
    """Return draws of another time, with augmentations if there are any."""
    return replace(draws, images=draws.images + by, p=TRIED_P if draws.augments else 0.0)


def _take_gradients(parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Return the gradients, and leave none."""
    gradients = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return gradients


@dataclass(frozen=True)
class _Results:
    """What passes compute, but statistics: among them are counts of signs, which rounding turns."""

    values: Sequence[Tensor]
    gradients: Sequence[Tensor | None]

    @staticmethod
    def of(found: Found, gradients: Sequence[Tensor | None]) -> "_Results":
        return _Results((*found.losses, *found.path_lengths, *found.moments.sums.values()), gradients)

    def agree(self, wanted: "_Results") -> bool:
        """Return whether all is as wanted up to rounding, relative to its size; of gradients to that of all as well."""
        if [one is None for one in self.gradients] != [one is None for one in wanted.gradients]:
            return False
        pairs = [
            (a, b) for a, b in zip(self.gradients, wanted.gradients, strict=True) if a is not None and b is not None
        ]
        whole = sum(float(finite(b).square().sum()) for _, b in pairs) ** 0.5
        return all(_far(a, b) <= ALLOWED for a, b in zip(self.values, wanted.values, strict=True)) and all(
            _far(a, b, ALLOWED * whole) <= ALLOWED for a, b in pairs
        )


def _far(value: Tensor, wanted: Tensor, size: float = 0.0) -> float:
    """Return the distance, relative to `wanted` and a size beside it; scaled float16 may overflow in both."""
    value, wanted = finite(value), finite(wanted)
    return float((value - wanted).norm()) / (float(wanted.norm()) + size + torch.finfo(wanted.dtype).tiny)
