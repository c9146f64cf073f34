# SPDX-License-Identifier: Apache-2.0
"""What a CUDA graph does, on a CPU: the same operations on the same memory, with the numbers they once had."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stylegan3.training.phases import Found

READING = {"_local_scalar_dense", "nonzero", "equal", "is_nonzero"}
"""Operations whose result the CPU needs: float(x), if x, x[mask], torch.equal. A graph can't hold them."""


class Tape(TorchDispatchMode):
    """Notes operations while they are done; `replay` does them again, results falling where they fell."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, Any, Any, list[torch.Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name.split("::")[1] in READING:
            raise RuntimeError(f"{func._schema.name}: operation not permitted when stream is capturing")
        result = func(*args, **(kwargs or {}))
        own = all(found.alias_info is None for found in func._schema.returns)
        places = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)] if own else []
        self._calls.append((func, args, kwargs or {}, places))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        """Do all of it again; views stand where they stood."""
        for func, args, kwargs, places in self._calls:
            found = [leaf for leaf in tree_leaves(func(*args, **kwargs)) if isinstance(leaf, torch.Tensor)]
            for place, value in zip(places, found, strict=bool(places)):
                place.copy_(value)


@dataclass
class Tapes:
    """Records tapes; nothing that is recorded is filled before its first replay."""

    replays: int = 0
    recording: bool = False

    def record(self, passes: Callable[[], Found]) -> tuple[Found, Callable[[], None]]:
        """Note what the passes do."""
        self.recording = True
        try:
            with Tape() as tape:
                found = passes()
        finally:
            self.recording = False

        def replay() -> None:
            self.replays += 1
            tape.replay()

        return found, replay

    def none_opens_while_recording(self, name: str) -> AbstractContextManager[object]:
        """Be told of spans: what measures them on a card would be captured."""
        assert not self.recording
        return nullcontext()


@contextmanager
def from_the_cpu() -> Iterator[list[str]]:
    """List operations with tensors that aren't on the meta device, and tensors that are made of Python's numbers."""
    found: list[str] = []
    with _Literals(found), _Elsewhere(found):
        yield found


class _Elsewhere(TorchDispatchMode):
    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self._found = found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        self._found += [func._schema.name] * any(not tensor.is_meta for tensor in tensors)
        return result


class _Literals(TorchFunctionMode):
    MAKING = (torch.tensor, torch.as_tensor, torch.from_numpy, torch.Tensor.new_tensor)

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self._found = found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.MAKING:
            self._found.append(func.__name__)
        return func(*args, **(kwargs or {}))
