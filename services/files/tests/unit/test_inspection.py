"""What a content is, by its first bytes."""

from __future__ import annotations

import contextlib
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ochaq_files.inspection import HEAD_BYTES, Unreadable, inspect

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\x08\x02\0\0\0"
JPEG = b"\xff\xd8\xff\xe0\0\x04\0\0\xff\xc0\0\x11\x08" + struct.pack(">HH", 480, 640) + b"\3"


@pytest.mark.parametrize(
    ("head", "kind", "media_type"),
    [
        (PNG, "image", "image/png"),
        (JPEG, "image", "image/jpeg"),
        (b"GIF89a" + struct.pack("<HH", 640, 480), "image", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0", "image", "image/webp"),
        (b"%PDF-1.4\n%abc", "pdf", "application/pdf"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "video", "video/mp4"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio", "audio/x-wav"),
        (b"fLaC\0\0\0\x22" + bytes(40), "audio", "audio/flac"),
        (b"ID3\x03\0\0\0\0\0\0" + bytes(100), "audio", "audio/mpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image", "image/svg+xml"),
        (b"<!doctype html><html>", "text", "text/html"),
        (b"salt\npepper\n", "text", "text/plain"),
        (b"BM is no picture, only a word", "text", "text/plain"),
        ("тузлуқ\n".encode(), "text", "text/plain"),
        ("çorba".encode("utf-16"), "text", "text/plain"),
        (b"\x7fELF" + bytes(50), "other", "application/octet-stream"),
        (bytes(100), "other", "application/octet-stream"),
        (b"", "other", "application/x-empty"),
    ],
)
def test_the_content_decides_the_kind(head: bytes, kind: str, media_type: str) -> None:
    found = inspect(head, len(head), "wrong.exe")
    assert (found.kind, found.media_type) == (kind, media_type)


@pytest.mark.parametrize(
    "head",
    [
        PNG,
        JPEG,
        b"GIF89a" + struct.pack("<HH", 640, 480),
        b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0",
    ],
)
def test_pictures_tell_their_size(head: bytes) -> None:
    assert inspect(head, len(head), "a").metadata == {"width": 640, "height": 480}


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\nrubbish", b"\xff\xd8\xff", b"GIF89a", b"RIFF\x24\0\0\0WEBPVP8X"])
def test_a_damaged_picture_is_unreadable(head: bytes) -> None:
    with pytest.raises(Unreadable):
        inspect(head, len(head), "a.png")


def test_a_text_tells_its_encoding_and_lines_and_its_extension_refines_its_type() -> None:
    found = inspect(b"a,b\n1,2\n", 8, "list.csv")
    assert found.media_type == "text/csv"
    assert found.metadata == {"encoding": "utf-8", "lines": 2}


def test_a_character_cut_at_the_end_of_the_first_mebibyte_does_not_make_text_binary() -> None:
    head = ("x" + "ş" * HEAD_BYTES).encode()[:HEAD_BYTES]
    assert inspect(head, HEAD_BYTES * 2, "a.txt").kind == "text"


def test_random_bytes_are_something_else() -> None:
    assert inspect(b"\x00\x01" + os.urandom(70_000), 70_002, "a.bin").kind == "other"


@given(st.binary(max_size=2000), st.sampled_from([b"", *(PNG[:8], JPEG[:3], b"GIF89a", b"RIFF....WEBPVP8 ", b"%PDF-")]))
def test_no_bytes_raise_anything_else(tail: bytes, start: bytes) -> None:
    head = start + tail
    with contextlib.suppress(Unreadable):
        inspect(head, len(head), "a.bin")
