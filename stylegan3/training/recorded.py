# SPDX-License-Identifier: Apache-2.0
"""A phase's passes recorded once and replayed, where a device works faster than its CPU can start the operations.

A replay repeats the same operations on the same memory. So what changes between iterations is brought to where it lay:
draws, data, path length's mean. Anything else that the passes took from the CPU would stay what it was; therefore a
recording is made with other values than the coming ones, then held against plain passes, before it is used.
"""

import gc
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from stylegan3.training.blur import blurs
from stylegan3.training.draws import KeptDraws
from stylegan3.training.gradients import finite
from stylegan3.training.passes import Found, Given, Passes, Reals
from stylegan3.training.phases import Phase
from stylegan3.training.ranks import Ranks
from stylegan3.training.spans import unmeasured

WARM = 2  # times that a phase runs before it is recorded: kernels are built, algorithms chosen
MARGIN = 1.05  # how many times as fast a replay must be, more than two measurements differ
ALLOWED = 1e-2  # how far a replay may be from plain passes, relative; bfloat16 rounds to 4e-3

Replay = Callable[[], None]
Result = TypeVar("Result")


class Recorder(Protocol):
    """Records what a device does."""

    def record(self, passes: Callable[[], Found]) -> tuple[Found, Replay]:
        """Return what the passes fill, as they fill gradients, and what fills all of it anew.

        Raises:
            RuntimeError: they can't be recorded, or there is no room.
        """

    def wait(self) -> None:
        """Return when the device has done what it was given."""


class Graphs:
    """Records CUDA graphs. They share memory: what a replay leaves must be used before the next one.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._index = torch.cuda.current_device() if device.index is None else device.index
        self._stream = torch.cuda.Stream(self._index)
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, passes: Callable[[], Found]) -> tuple[Found, Replay]:
        """Capture the passes; other threads may use the device meanwhile, for data, snapshots, scores."""
        gc.collect()  # what cycles hold would be freed while capturing, which is not permitted
        self.wait()
        torch.cuda.empty_cache()
        most, free = torch.cuda.max_memory_allocated(self._index), torch.cuda.mem_get_info(self._index)[0]
        if free < 2 * most:  # what plain passes need, and that once more
            raise RuntimeError(f"it would take up to {most / 2**30:.1f} GB more")
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._index), torch.cuda.stream(self._stream):
            graph.capture_begin(self._pool, capture_error_mode="thread_local")
            try:
                found = passes()
            except BaseException:
                with suppress(RuntimeError):  # the first error says what is wrong
                    self._end(graph)
                raise
            self._end(graph)
        return found, graph.replay

    def _end(self, graph: torch.cuda.CUDAGraph) -> None:
        try:
            graph.capture_end()
        except RuntimeError:
            # torch's allocator still waits for the end, and meanwhile frees nothing that several streams have used
            with suppress(RuntimeError):
                torch._C._cuda_endAllocateToPool(self._index, self._pool)
            raise

    def wait(self) -> None:
        """Return when the device is idle."""
        torch.cuda.synchronize(self._index)


def recorder_for(device: torch.device) -> Recorder | None:
    """Return what records on a device: nothing on a CPU, nor where nothing may be chosen by measuring."""
    return Graphs(device) if device.type == "cuda" and torch.backends.cudnn.benchmark else None


def told(device: torch.device) -> str:
    """Tell in one line what a training on this device may do."""
    if recorder_for(device) is None:
        return "computed operation by operation (nothing may be chosen by measuring)"
    return f"recorded as graphs when each has run {WARM} times, and replayed where that is right and {MARGIN}x as fast"


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

    Args:
        trained: the parameters that a phase's network trains, by its name.
        tell: told once a phase what became of it.
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
        if phase.name in self._recordings:
            return self._recordings[phase.name](given, self.trained[phase.network])
        if not blurs(self.passes.setup.hyper, given.draws[0].images):  # by a width that changes
            self._times[phase.name] = self._times.get(phase.name, 0) + 1
            if self._times[phase.name] == WARM + 1:
                return self._compared(phase, given, before_last)
        return self.passes(phase, given, before_last)

    def _compared(self, phase: Phase, given: Given, before_last: Callable[[], None]) -> Found:
        """Compute the rounds plainly, after a recording of them: is it the same, and faster? All ranks must find so."""
        parameters = self.trained[phase.network]
        recording, reason, replayed, results = None, "", 0.0, _Results()
        try:
            recording = self._recorded(phase, given)
            results = _Results.of(recording(given, parameters), parameters)
            replayed = self._timed(lambda: recording(given, parameters))[1]
        except RuntimeError as error:  # torch's for what can't be recorded, and for too little memory
            reason = " ".join(str(error).split())[:200] or type(error).__name__
        _take_gradients(parameters)
        replayed += self._exchange(parameters)
        found, plainly = self._timed(lambda: self.passes(phase, given, before_last))  # last: these gradients stay
        if not reason and not results.agree(_Results.of(found, parameters)):
            reason = "replayed it gives something else"
        if not reason and plainly < MARGIN * replayed:
            reason = f"{plainly / replayed:.2f}x as fast replayed"
        right = torch.tensor(not reason, dtype=torch.int64, device=given.path_length_mean.device)
        self.ranks.start_min(right)()
        if recording is not None and int(right):
            self._recordings[phase.name] = recording
            self.tell(f"{phase.name}: recorded, {plainly / replayed:.2f}x as fast replayed")
        else:
            self.tell(f"{phase.name}: not recorded ({reason or 'another rank can not'})")
        return found

    def _exchange(self, parameters: Sequence[nn.Parameter]) -> float:
        """Return the seconds that ranks take to sum gradients: beside plain passes, but after replayed ones."""
        if self.ranks.count == 1:
            return 0.0
        values = torch.zeros(sum(parameter.numel() for parameter in parameters), device=parameters[0].device)
        self.ranks.start_sum(values)()  # the first one meets the others
        return self._timed(lambda: self.ranks.start_sum(values)())[1]

    def _recorded(self, phase: Phase, given: Given) -> Recording:
        """Record a phase, with values other than the coming ones."""
        draws = [KeptDraws(**vars(replace(one, images=one.images + 1))) for one in given.draws]
        reals = [Reals(-one.pictures, None if one.labels is None else one.labels.flip(0)) for one in given.reals]
        own = Given(draws, reals, given.path_length_mean + 1)
        passes, parameters = replace(self.passes, spans=unmeasured), self.trained[phase.network]
        passes(phase, own)  # draws are made
        _take_gradients(parameters)
        found, replay = self.recorder.record(lambda: passes(phase, own))
        return Recording(own, found, _take_gradients(parameters), replay)

    def _timed(self, compute: Callable[[], Result]) -> tuple[Result, float]:
        self.recorder.wait()
        began = time.perf_counter()
        result = compute()
        self.recorder.wait()
        return result, time.perf_counter() - began


def _take_gradients(parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Return the gradients, and leave none."""
    gradients = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return gradients


@dataclass(frozen=True)
class _Results:
    """All that passes compute, but counts of signs, which rounding turns."""

    values: Sequence[Tensor] = ()
    gradients: Sequence[Tensor | None] = ()

    @staticmethod
    def of(found: Found, parameters: Sequence[nn.Parameter]) -> "_Results":
        values = (torch.stack(found.losses), *found.path_lengths, *found.moments.sums.values())
        return _Results(values, [parameter.grad for parameter in parameters])

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
