# SPDX-License-Identifier: Apache-2.0
"""Where every byte of an archive stands, so that pictures are found by arithmetic, not by a directory.

    local header 0 (128 bytes) | npy 0 | local header 1 | npy 1 | ... | labels.npy | items.jsonl | dataset.json
    | central directory | zip64 end record | zip64 locator | end record

All pictures are of one size, so data_offset(i) = FIRST + i * stride. The data of each member start at a multiple of 64
bytes: an extra field in the local header fills the gap. Sizes and offsets are zip64 whatever their value.
Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3; the npy header of numpy.lib.format, version 1.0.
"""

import io
import re
import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np

KIND, VERSION = "sg3-spect archive", 1  # what dataset.json says it is
ALIGNMENT = 64  # bytes; a cache line, and what numpy.save aligns its own data to
FIRST = 128  # where the data of member 0 start
PER_FOLDER = 1000
LABELS, ITEMS, SUMMARY = "labels.npy", "items.jsonl", "dataset.json"

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_CRC_AT = 16  # in an entry
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4sHHHHIIH")
_ZIP64_LOCAL = struct.Struct("<HHQQ")
_ZIP64_CENTRAL = struct.Struct("<HHQQQ")
_PADDING = struct.Struct("<HH")
_PADDING_ID = 0xD935  # the id that zipalign uses for its padding
_VERSION = 45  # zip64
_MADE_BY = (3 << 8) | _VERSION  # unix
_MODE = 0o100644 << 16
_DATE = (1 << 5) | 1  # 1980-01-01, so that equal input gives equal bytes
_SHORTEST_EXTRA = _ZIP64_LOCAL.size + _PADDING.size
END_BYTES = _END64.size + _LOCATOR.size + _END.size


def aligned(offset: int) -> int:
    """Round up to the next multiple of ALIGNMENT."""
    return -(-offset // ALIGNMENT) * ALIGNMENT


def data_after(offset: int, name: str) -> int:
    """Tell where a member's data start when its local header is written at `offset`."""
    return aligned(offset + _LOCAL.size + len(name) + _SHORTEST_EXTRA)


def local_header(name: str, size: int, crc: int, length: int) -> bytes:
    """Build the header before a stored member, filled up to `length` bytes."""
    raw = name.encode("ascii")
    filler = length - _LOCAL.size - len(raw) - _SHORTEST_EXTRA
    extra = _ZIP64_LOCAL.pack(1, 16, size, size) + _PADDING.pack(_PADDING_ID, filler) + bytes(filler)
    big = 0xFFFFFFFF
    return _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, crc, big, big, len(raw), len(extra)) + raw + extra


def central_entry(name: str, size: int, crc: int, offset: int) -> bytes:
    """Build the directory's entry of a member whose local header stands at `offset`."""
    raw = name.encode("ascii")
    extra = _ZIP64_CENTRAL.pack(1, 24, size, size, offset)
    big = 0xFFFFFFFF
    lengths = (len(raw), len(extra), 0, 0, 0)
    return (
        _CENTRAL.pack(b"PK\1\2", _MADE_BY, _VERSION, 0, 0, 0, _DATE, crc, big, big, *lengths, _MODE, big) + raw + extra
    )


def end_records(entries: int, directory_offset: int, directory_size: int) -> bytes:
    """Build the three records that close a zip64 file."""
    size = _END64.size - 12
    end64 = _END64.pack(b"PK\6\6", size, _MADE_BY, _VERSION, 0, 0, entries, entries, directory_size, directory_offset)
    locator = _LOCATOR.pack(b"PK\6\7", 0, directory_offset + directory_size, 1)
    return end64 + locator + _END.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def read_end(tail: bytes) -> tuple[int, int, int] | None:
    """Read (entries, directory offset, directory size) from a file's last END_BYTES, None if they aren't ours."""
    if len(tail) != END_BYTES or tail[-_END.size :] != end_records(0, 0, 0)[-_END.size :]:
        return None
    fields = _END64.unpack_from(tail)
    return (fields[7], fields[9], fields[8]) if fields[0] == b"PK\6\6" else None


def read_entries(directory: bytes) -> list[tuple[str, int, int, int]]:
    """Read (name, size, crc, offset of the local header) of consecutive directory entries written here."""
    found, at = [], 0
    while at + _CENTRAL.size <= len(directory) and directory[at : at + 4] == b"PK\1\2":
        fields = _CENTRAL.unpack_from(directory, at)
        crc, length, extra = fields[7], fields[10], fields[11]
        if extra != _ZIP64_CENTRAL.size:
            break
        start = at + _CENTRAL.size
        _, _, size, _, offset = _ZIP64_CENTRAL.unpack_from(directory, start + length)
        found.append((directory[start : start + length].decode("ascii", "replace"), size, crc, offset))
        at = start + length + extra
    return found


def read_crcs(directory: bytes) -> np.ndarray:
    """Read the checksums of consecutive entries of pictures. Shape: -> [n] uint32."""
    entries = np.frombuffer(directory, np.uint8).reshape(-1, ITEM_ENTRY_BYTES)
    return entries[:, _CRC_AT : _CRC_AT + 4].copy().view("<u4")[:, 0]


def npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    """Build what numpy.save writes before the values of a C-ordered array."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": shape})
    return out.getvalue()


def item_name(index: int) -> str:
    """Name picture `index`: 1000 a folder, all names of one length."""
    return f"{index // PER_FOLDER:05d}/spect{index:08d}.npy"


def entry_bytes(name: str) -> int:
    """Tell the size of a member's entry in the central directory."""
    return _CENTRAL.size + len(name) + _ZIP64_CENTRAL.size


ITEM_NAME = re.compile(r"\d{5}/spect\d{8}\.npy")
ITEM_ENTRY_BYTES = entry_bytes(item_name(0))
SUMMARY_ENTRY_BYTES = entry_bytes(SUMMARY)


@dataclass(frozen=True)
class Layout:
    """The places of pictures of one shape, [rows, frames, 4] float32 each."""

    rows: int
    frames: int

    @cached_property
    def header(self) -> bytes:
        """The npy header that all pictures share."""
        return npy_header((self.rows, self.frames, 4), "<f4")

    @property
    def data_bytes(self) -> int:
        """Bytes of a picture's values."""
        return self.rows * self.frames * 16

    @property
    def member_bytes(self) -> int:
        """Bytes of a picture's member: npy header and values."""
        return len(self.header) + self.data_bytes

    @cached_property
    def stride(self) -> int:
        """Bytes from one picture to the next."""
        return data_after(self.member_bytes, item_name(0))

    def data_offset(self, index: int) -> int:
        """Where member `index`, that is its npy header, starts."""
        return FIRST + index * self.stride

    def header_offset(self, index: int) -> int:
        """Where the local header of member `index` starts, which is where the member before it ends."""
        return 0 if index == 0 else self.data_offset(index - 1) + self.member_bytes

    def local_header(self, index: int, crc: int) -> bytes:
        """Build the local header of member `index`."""
        length = self.data_offset(index) - self.header_offset(index)
        return local_header(item_name(index), self.member_bytes, crc, length)

    def archive_bytes(self, items: int) -> int:
        """Bytes of the pictures of a whole archive (its tail adds some hundred bytes an item)."""
        return self.header_offset(items)
