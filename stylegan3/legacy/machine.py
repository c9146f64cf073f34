# SPDX-License-Identifier: Apache-2.0
"""The state of a pickle stack machine that builds data only; its instructions stand in `program`.

No attribute is looked up by a name from the file, no module is imported and no object from the file is called: a name
becomes a `Token`, and applying a token goes through the table of meanings that the caller hands in. Cost in memory is
a small multiple of the bytes read: there is no instruction that allocates more than it carries.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stylegan3.errors import NetworkError

Value = Any  # None, bool, int, float, str, bytes, list, tuple, dict, set, a Token, or what a meaning returned


@dataclass(frozen=True, eq=False)
class Token:
    """A global that the file named and the table allows; nothing but its name."""

    name: str


@dataclass(frozen=True)
class Meaning:
    """What an allowed global does with its arguments, and with a state set on its result afterwards (None: refused)."""

    apply: Callable[..., Value]
    build: Callable[[Value, Value], Value] | None = None


class Made:
    """A value made by applying a token, remembered with it so that a later state can be given to its meaning."""

    __slots__ = ("token", "value")

    def __init__(self, token: Token, value: Value) -> None:
        self.token = token
        self.value = value


class Refused(NetworkError):
    """The file asks for something that a snapshot has no need of."""


class Machine:
    """Stack, marks and memo of one pickle. `meanings`: global name -> what it stands for."""

    def __init__(self, meanings: Mapping[str, Meaning]) -> None:
        self.meanings = meanings
        self.stack: list[Value] = []
        self.marked: list[list[Value]] = []
        self.memo: dict[int, Value] = {}

    def above_mark(self) -> list[Value]:
        """Take off all that was pushed since the last mark."""
        values, self.stack = self.stack, self.marked.pop()
        return values

    def token(self, module: Value, name: Value) -> None:
        full = f"{module}.{name}"
        if not (isinstance(module, str) and isinstance(name, str)) or "." in name or full not in self.meanings:
            raise Refused(f"names the global {full[:100]!r}, which no StyleGAN snapshot needs: refused, not run")
        self.stack.append(Token(full))

    def reduce(self) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        if not isinstance(target, Token) or not isinstance(arguments, tuple):
            raise Refused(f"calls {_kind(target)}, which is not one of the globals of a StyleGAN snapshot: refused")
        self.stack.append(Made(target, self.meanings[target.name].apply(*map(unwrap, arguments))))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        build = self.meanings[target.token.name].build if isinstance(target, Made) else None
        if build is None:
            what = target.token.name if isinstance(target, Made) else _kind(target)
            raise Refused(f"sets the inner state of {what}, as no StyleGAN snapshot does: refused")
        target.value = build(target.value, unwrap(state))


def unwrap(value: Value) -> Value:
    """The value behind a `Made`, anything else as it is."""
    return value.value if isinstance(value, Made) else value


def _kind(value: Value) -> str:
    return f"the global {value.name}" if isinstance(value, Token) else f"an object of type {type(value).__name__}"
