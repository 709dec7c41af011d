"""The computed zip, against Python's zipfile, Info-ZIP and its own bytes."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ochaq_files.archives import Entry, Layout, entry_names
from ochaq_files.storage.objects import Piece, Span

LIMIT_32 = 0xFFFFFFFF


def entry(name: str, content: bytes, modified: int = 1_800_000_000) -> Entry:
    return Entry(name, len(content), zlib.crc32(content), modified, name)


def read(pieces: Iterator[Piece], contents: dict[str, bytes]) -> bytes:
    return b"".join(p if isinstance(p, bytes) else contents[p.key][p.start : p.stop] for p in pieces)


def whole(contents: dict[str, bytes]) -> tuple[Layout, bytes]:
    layout = Layout([entry(name, content) for name, content in contents.items()])
    return layout, read(layout.pieces(0, layout.size), contents)


contents_strategy = st.lists(st.binary(max_size=300), max_size=12).map(
    lambda contents: {f"складка/файл ş{index}.bin": content for index, content in enumerate(contents)}
)


@given(contents_strategy)
def test_zipfile_reads_back_what_went_in(contents: dict[str, bytes]) -> None:
    layout, data = whole(contents)
    assert len(data) == layout.size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == contents


@given(contents_strategy, st.data())
@settings(max_examples=200)
def test_any_range_equals_the_slice(contents: dict[str, bytes], data: st.DataObject) -> None:
    layout, expected = whole(contents)
    start = data.draw(st.integers(0, layout.size))
    stop = data.draw(st.integers(start, layout.size))
    assert read(layout.pieces(start, stop), contents) == expected[start:stop]


def test_ranges_at_every_boundary_and_anywhere_of_a_large_archive_equal_the_slice() -> None:
    contents = {f"{index:03}.txt": bytes([index % 256]) * (index % 7) for index in range(300)}
    layout, expected = whole(contents)
    edges = [at + step for at in (*layout._offsets, *layout._central) for step in (-1, 0, 1)]
    ranges = [(start, start + length) for start in edges for length in (0, 1, 2, 45)]
    chance = random.Random(1)
    ranges += [tuple(sorted(chance.choices(range(layout.size + 1), k=2))) for _ in range(2000)]
    for start, stop in ranges:
        if 0 <= start <= stop <= layout.size:
            assert read(layout.pieces(start, stop), contents) == expected[start:stop]


def test_unzip_finds_no_fault(tmp_path: Path) -> None:
    contents = {"a/b/soup.txt": b"salt" * 999, "пустой.txt": b"", "ğüş 🍲.bin": bytes(range(256)), "a/b/c/d.txt": b"x"}
    path = tmp_path / "folder.zip"
    path.write_bytes(whole(contents)[1])
    done = subprocess.run(["unzip", "-t", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No errors detected" in done.stdout
    assert "warning" not in done.stdout + done.stderr


def test_an_archive_of_nothing_is_an_empty_zip() -> None:
    _, data = whole({})
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == []


class Sparse(io.RawIOBase):
    """A file over a layout whose contents are endless zeros, so that gigabytes cost nothing."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._layout.size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._layout.size if size < 0 else min(self._at + size, self._layout.size)
        pieces = self._layout.pieces(self._at, stop)
        found = b"".join(p if isinstance(p, bytes) else bytes(p.stop - p.start) for p in pieces)
        self._at += len(found)
        return found


def zeros(name: str, size: int, crc32: int = 0) -> Entry:
    return Entry(name, size, crc32, 1_800_000_000, name)


@pytest.mark.parametrize("size", [LIMIT_32 - 1, LIMIT_32, LIMIT_32 + 1, 6 * 2**30])
def test_sizes_and_offsets_around_four_gigabytes_are_read_right(size: int) -> None:
    layout = Layout([zeros("first", 7), zeros("large", size), zeros("small", 5, zlib.crc32(bytes(5)))])
    with zipfile.ZipFile(Sparse(layout)) as archive:
        assert [info.file_size for info in archive.infolist()] == [7, size, 5]
        assert archive.read("small") == bytes(5)
        assert archive.getinfo("small").header_offset == 30 + 5 + 7 + 30 + 5 + (20 if size >= LIMIT_32 else 0) + size


@pytest.mark.parametrize("size", [LIMIT_32 - 1 - 35 - 35, LIMIT_32 - 35 - 35, LIMIT_32 + 1 - 35 - 35])
def test_zip64_records_appear_exactly_where_the_directory_starts_beyond_four_gigabytes(size: int) -> None:
    # A local header with a five-letter name has 35 bytes, so the directory starts at `size` + 70.
    layout = Layout([zeros("large", size), zeros("small", 0)])
    last = Sparse(layout)
    last.seek(-22 - 20, 2)
    has_locator = struct.unpack("<I", last.read(4))[0] == 0x07064B50
    assert has_locator == (size + 70 >= LIMIT_32)
    assert len(zipfile.ZipFile(Sparse(layout)).infolist()) == 2


@pytest.mark.parametrize("count", [65_534, 65_535, 65_536, 70_000])
def test_counts_around_two_bytes_are_read_right(count: int) -> None:
    layout = Layout([zeros(f"{index}", 0) for index in range(count)])
    assert len(zipfile.ZipFile(Sparse(layout)).infolist()) == count


def test_a_range_in_the_middle_of_fifty_gigabytes_is_one_span() -> None:
    layout = Layout([zeros(f"{index}", 5 * 2**30) for index in range(10)])
    start = 25 * 2**30 - layout._offsets[4] - 51
    assert list(layout.pieces(25 * 2**30, 25 * 2**30 + 100)) == [Span("4", start, start + 100, 5 * 2**30)]


HOSTILE = [
    "../../etc/passwd", "/etc/passwd", "a/../../b", "..\\..\\b", "C:\\windows\\x", "C:/windows/x", "a\0b", "a\nb",
    "con", "aux.txt", "a:b", "a*b?", "<a>|\"b\"", "", "/", ".", "..", "...", " ", "a.", "a ", "txt.\u202eexe",
    "a//b", "./a", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE)
def test_no_entry_name_leads_out_or_breaks_a_system(raw: str) -> None:
    (name,) = entry_names([raw])
    parts = name.split("/")
    assert name
    assert not name.startswith("/")
    assert not {"", ".", ".."} & set(parts)
    assert not set('\\:*?"<>|\0\n\u202e') & set(name)
    assert all(part == part.strip().rstrip(".") for part in parts)
    name.encode()


@given(st.lists(st.text(max_size=20), max_size=30))
def test_entry_names_stay_distinct_for_every_file_system(raw: list[str]) -> None:
    found = entry_names(raw)
    assert len({name.casefold() for name in found}) == len(raw)


def test_names_that_differ_in_case_or_normal_form_get_numbers() -> None:
    assert entry_names(["Soup.txt", "soup.TXT", "soup.txt", "é", "e\u0301"]) == [
        "Soup.txt", "soup (2).TXT", "soup (3).txt", "é", "é (2)",
    ]  # fmt: skip


def test_ten_thousand_equal_names_take_no_quadratic_time() -> None:
    found = entry_names(["a.txt"] * 10_000)
    assert found[-1] == "a (10000).txt"
