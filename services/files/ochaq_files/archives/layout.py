"""Where every byte of a zip lies, computed from names, sizes and CRC-32s alone (PKWARE APPNOTE 6.3.10).

Entries are stored, not compressed, without data descriptors: lesson media does not shrink, readers that stream do not
stumble, and any range of the archive is a list of slices. ZIP64 records appear only where the format needs them.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate

from ochaq_files.archives.entries import Entry
from ochaq_files.storage.objects import Piece, Span

LIMIT_32 = 0xFFFFFFFF
LIMIT_16 = 0xFFFF

_UTF8_NAMES = 0x0800
_STORED = 0
_UNIX = 3 << 8
_REGULAR_FILE = 0o100644 << 16
_VERSION_PLAIN = 20
_VERSION_64 = 45

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_END_64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR_64 = struct.Struct("<IIQI")


class Layout:
    """One archive: its length, and the pieces of any range of it."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._names = [entry.name.encode() for entry in entries]
        # Prefix sums as arrays: 16 bytes an entry, and a bisection finds the entry at any offset.
        self._offsets = array("Q", accumulate(map(self._local_size, range(len(entries))), initial=0))
        self._central = array("Q", accumulate(map(self._central_size, range(len(entries))), initial=0))
        self._end = self._end_records()

    @property
    def size(self) -> int:
        """The exact length of the archive."""
        return self._offsets[-1] + self._central[-1] + len(self._end)

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        """The bytes [start, stop) of the archive, in order."""
        directory = self._offsets[-1]
        records = directory + self._central[-1]
        yield from self._local_pieces(start, min(stop, directory))
        yield from self._central_pieces(max(start - directory, 0), min(stop, records) - directory)
        yield from _cut(self._end, start - records, stop - records)

    def _local_pieces(self, start: int, stop: int) -> Iterator[Piece]:
        index = bisect_right(self._offsets, start) - 1
        while start < stop and index < len(self._entries):
            offset = self._offsets[index]
            header = self._local_header(index)
            yield from _cut(header, start - offset, stop - offset)
            entry, data = self._entries[index], offset + len(header)
            first, last = max(start - data, 0), min(stop - data, entry.size)
            if first < last:
                yield Span(entry.key, first, last, entry.size)
            start = max(start, self._offsets[index + 1])
            index += 1

    def _central_pieces(self, start: int, stop: int) -> Iterator[Piece]:
        index = bisect_right(self._central, start) - 1
        while start < stop and index < len(self._entries):
            yield from _cut(self._central_header(index), start - self._central[index], stop - self._central[index])
            start = self._central[index + 1]
            index += 1

    def _local_size(self, index: int) -> int:
        size = self._entries[index].size
        return _LOCAL.size + len(self._names[index]) + (20 if size >= LIMIT_32 else 0) + size

    def _central_size(self, index: int) -> int:
        return _CENTRAL.size + len(self._names[index]) + len(self._central_extra(index))

    def _local_header(self, index: int) -> bytes:
        entry, name = self._entries[index], self._names[index]
        large = entry.size >= LIMIT_32
        # In a local header both sizes stand in the extra field or neither (APPNOTE 4.5.3).
        extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if large else b""
        time, date = _dos_time(entry.modified)
        size = min(entry.size, LIMIT_32)
        version = _VERSION_64 if large else _VERSION_PLAIN
        fixed = _LOCAL.pack(
            0x04034B50, version, _UTF8_NAMES, _STORED, time, date, entry.crc32, size, size, len(name), len(extra)
        )
        return fixed + name + extra

    def _central_header(self, index: int) -> bytes:
        entry, name, extra = self._entries[index], self._names[index], self._central_extra(index)
        time, date = _dos_time(entry.modified)
        size, offset = min(entry.size, LIMIT_32), min(self._offsets[index], LIMIT_32)
        version = _VERSION_64 if extra else _VERSION_PLAIN
        fixed = _CENTRAL.pack(
            0x02014B50, _UNIX | version, version, _UTF8_NAMES, _STORED, time, date, entry.crc32,
            size, size, len(name), len(extra), 0, 0, 0, _REGULAR_FILE, offset,
        )  # fmt: skip
        return fixed + name + extra

    def _central_extra(self, index: int) -> bytes:
        size, offset = self._entries[index].size, self._offsets[index]
        values = [size, size] if size >= LIMIT_32 else []
        if offset >= LIMIT_32:
            values.append(offset)
        return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""

    def _end_records(self) -> bytes:
        count, length, offset = len(self._entries), self._central[-1], self._offsets[-1]
        records = b""
        if count >= LIMIT_16 or length >= LIMIT_32 or offset >= LIMIT_32:
            end_64 = offset + length
            records += _END_64.pack(
                0x06064B50, _END_64.size - 12, _UNIX | _VERSION_64, _VERSION_64, 0, 0, count, count, length, offset
            )
            records += _LOCATOR_64.pack(0x07064B50, 0, end_64, 1)
        small = min(count, LIMIT_16)
        return records + _END.pack(0x06054B50, 0, 0, small, small, min(length, LIMIT_32), min(offset, LIMIT_32), 0)


def _cut(data: bytes, start: int, stop: int) -> Iterator[bytes]:
    """The part of `data` inside [start, stop), if any; the bounds may lie outside of it."""
    start, stop = max(start, 0), min(stop, len(data))
    if start < stop:
        yield data[start:stop]


def _dos_time(modified: int) -> tuple[int, int]:
    """MS-DOS time and date in UTC: two-second steps, 1980 to 2107."""
    moment = datetime.fromtimestamp(modified, UTC)
    if moment.year < 1980:
        return 0, 0x21
    if moment.year > 2107:
        return 0xBF7D, 0xFF9F
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return time, (moment.year - 1980) << 9 | moment.month << 5 | moment.day
