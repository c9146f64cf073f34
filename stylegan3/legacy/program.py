# SPDX-License-Identifier: Apache-2.0
"""The instructions of a pickle, over a `Machine`: those that build data; all others are refused by name.

The stream is cut into instructions by the standard library's `pickletools`, which documents each of them.
"""

import io
import pickletools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from stylegan3.legacy.machine import Machine, Meaning, Refused, Value, unwrap

KEYS = (str, int, float, bytes, type(None))  # no tuples: hashing a deeply nested one would exhaust the C stack

PUSHED = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
CONSTANTS: Mapping[str, Callable[[], Value]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}


def run(stream: io.BufferedIOBase, meanings: Mapping[str, Meaning]) -> Value:
    """Step through `stream` (anything with read and readline) up to its STOP and return the value built.

    Raises:
        Refused: a global that `meanings` lacks, or an instruction that makes objects in another way.
        ValueError, IndexError, KeyError, TypeError, OverflowError: the stream is not a whole pickle.
    """
    machine = Machine(meanings)
    for opcode, argument, _ in pickletools.genops(cast(Any, stream)):
        if opcode.name == "STOP":
            return unwrap(machine.stack.pop())
        _step(machine, opcode.name, argument)
    raise ValueError("no STOP")


def _step(machine: Machine, name: str, argument: Any) -> None:
    """Carry out one instruction."""
    if name in PUSHED:
        machine.stack.append(argument)
    elif name in CONSTANTS:
        machine.stack.append(CONSTANTS[name]())
    elif name in STEPS:
        STEPS[name](machine, argument)
    else:
        raise Refused(f"holds the pickle instruction {name}, of which a StyleGAN snapshot has none: not read")


def _mark(machine: Machine, _: Any) -> None:
    machine.marked.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine, _: Any) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.above_mark()


def _pop_mark(machine: Machine, _: Any) -> None:
    machine.above_mark()


def _expect(value: Value, kind: type) -> Any:
    inner = unwrap(value)
    if type(inner) is not kind:
        raise TypeError(f"{kind.__name__} expected, {type(inner).__name__} found")
    return inner


def _extend(machine: Machine, values: Iterable[Value]) -> None:
    _expect(machine.stack[-1], list).extend(values)


def _set_items(machine: Machine, values: list[Value]) -> None:
    target = _expect(machine.stack[-1], dict)
    target.update(_pairs(values))


def _add_items(machine: Machine, values: list[Value]) -> None:
    _expect(machine.stack[-1], set).update(_keys(values))


def _pairs(values: list[Value]) -> dict[Value, Value]:
    return dict(zip(_keys(values[::2]), values[1::2], strict=True))


def _keys(values: list[Value]) -> list[Value]:
    if not all(isinstance(value, KEYS) for value in values):
        raise TypeError("keys must be text or numbers")
    return values


def _append(machine: Machine, _: Any) -> None:
    value = machine.stack.pop()
    _extend(machine, [value])


def _set_item(machine: Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set_items(machine, [key, value])


def _tuple_of(count: int) -> Callable[[Machine, Any], None]:
    def step(machine: Machine, _: Any) -> None:
        if len(machine.stack) < count:
            raise IndexError("stack is empty")
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return step


def _collect(make: Callable[[list[Value]], Value]) -> Callable[[Machine, Any], None]:
    def step(machine: Machine, _: Any) -> None:
        value = make(machine.above_mark())
        machine.stack.append(value)

    return step


def _put(machine: Machine, index: Any) -> None:
    machine.memo[len(machine.memo) if index is None else index] = machine.stack[-1]


def _get(machine: Machine, index: Any) -> None:
    machine.stack.append(machine.memo[index])


def _stack_global(machine: Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.token(module, name)


STEPS: Mapping[str, Callable[[Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "APPEND": _append,
    "APPENDS": lambda machine, _: _extend(machine, machine.above_mark()),
    "LIST": _collect(list),
    "TUPLE": _collect(tuple),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "DICT": _collect(_pairs),
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, _: _set_items(machine, machine.above_mark()),
    "ADDITEMS": lambda machine, _: _add_items(machine, machine.above_mark()),
    "FROZENSET": _collect(lambda values: frozenset(_keys(values))),
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _put,
    "GET": _get,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "GLOBAL": lambda machine, argument: machine.token(*argument.split(" ", 1)),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda machine, _: machine.reduce(),
    "NEWOBJ": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
}
