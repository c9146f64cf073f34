# SPDX-License-Identifier: Apache-2.0
"""Which file of the source a row of a table means."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from spect.dataset.sources import Source
from spect.errors import SoundError


class Matcher:
    """Finds files by name under the source, by path beside the table, or by file name where that is unique."""

    def __init__(self, table: Path, source: Source, names: Sequence[str]) -> None:
        self.table, self.names = table, names
        self._resolved = {str((source.path / name).resolve()): name for name in names} if source.kind != "zip" else {}
        if source.kind == "file":
            self._resolved = {str(source.path.resolve()): names[0]}
        count = Counter(name.rsplit("/", 1)[-1] for name in names)
        self._short = {name.rsplit("/", 1)[-1]: name for name in names if count[name.rsplit("/", 1)[-1]] == 1}
        self._known = set(names)

    def find(self, row: str) -> str | None:
        """Give the file that a row names, None for none."""
        name = row.replace("\\", "/").removeprefix("./")
        place = str((self.table.parent / name).resolve())
        return name if name in self._known else self._resolved.get(place) or self._short.get(name.rsplit("/", 1)[-1])

    def match(self, rows: Collection[str], option: str = "--labels") -> tuple[dict[str, str], tuple[str, ...]]:
        """Give row -> file of those that name one, and the rows that name none.

        Raises:
            SoundError: no row does.
        """
        found = {row: name for row in rows if (name := self.find(row)) is not None}
        if not found:
            raise SoundError(
                f"{option}: none of the {len(rows)} rows of {self.table} names a file of --source (the first is "
                f"{next(iter(rows), '')!r}, the first file {self.names[0] if self.names else ''!r})"
            )
        return found, tuple(row for row in rows if row not in found)
