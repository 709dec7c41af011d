"""What a content is, by looking at its first bytes. What the sender says of it is only kept, never believed."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Literal

import puremagic

HEAD_BYTES = 1024 * 1024
MAGIC_BYTES = 64 * 1024
CONFIDENT = 0.4
EMPTY = "application/x-empty"

# Types that a browser or an editor may run; they are text or pictures to us, but never shown as such.
_ACTIVE: dict[str, Kind] = {
    "image/svg+xml": "image",
    "text/html": "text",
    "text/xml": "text",
    "application/xml": "text",
}
_MAIN: dict[str, Kind] = {"image": "image", "audio": "audio", "video": "video"}
_TEXT_BY_EXTENSION = {
    "csv": "text/csv",
    "md": "text/markdown",
    "json": "application/json",
    "ics": "text/calendar",
    "vtt": "text/vtt",
}
_ALIASES = {"audio/wave": "audio/x-wav", "application/ogg": "audio/ogg", "image/x-ms-bmp": "image/bmp"}

Kind = Literal["image", "video", "audio", "text", "pdf", "other"]


class Unreadable(Exception):
    """The content begins like a type that its next bytes cannot be; `str()` is the reason shown to people."""


@dataclass(frozen=True)
class Finding:
    """Kind, media type and what else the first bytes tell."""

    kind: Kind
    media_type: str
    metadata: dict[str, Any] = field(default_factory=dict)


def inspect(head: bytes, size: int, name: str) -> Finding:
    """What a content of `size` bytes beginning with `head` (up to 1 MiB) is; raises `Unreadable`."""
    if not head:
        return Finding("other", EMPTY)
    return _image(head) or _by_magic(head) or _text(head, size, name) or Finding("other", "application/octet-stream")


def _image(head: bytes) -> Finding | None:
    """The picture formats whose size stands where it costs nothing to read."""
    for signature, media_type, dimensions in _IMAGES:
        if head.startswith(signature) and (media_type != "image/webp" or head[8:12] == b"WEBP"):
            try:
                width, height = dimensions(head)
            except (struct.error, ValueError, IndexError) as error:
                raise Unreadable("The picture's header is cut off or damaged.") from error
            return Finding("image", media_type, {"width": width, "height": height})
    return None


def _png(head: bytes) -> tuple[int, int]:
    if head[12:16] != b"IHDR":
        raise ValueError("no IHDR")
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def _webp(head: bytes) -> tuple[int, int]:
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(_exactly(head, 24, 3), "little"), 1 + int.from_bytes(
                _exactly(head, 27, 3), "little"
            )
        case b"VP8L":
            bits = struct.unpack_from("<I", head, 21)[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no VP8 chunk")


def _jpeg(head: bytes) -> tuple[int, int]:
    """Walk the segments to the frame header (ITU-T T.81 annex B)."""
    at = 2
    while True:
        while head[at] == 0xFF and head[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = head[at + 1]
        if head[at] != 0xFF or marker == 0xDA:
            raise ValueError("no frame header")
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        at += 2 + max(2, struct.unpack_from(">H", head, at + 2)[0])


def _exactly(head: bytes, at: int, count: int) -> bytes:
    found = head[at : at + count]
    if len(found) != count:
        raise ValueError("cut off")
    return found


_IMAGES = [
    (b"\x89PNG\r\n\x1a\n", "image/png", _png),
    (b"GIF87a", "image/gif", _gif),
    (b"GIF89a", "image/gif", _gif),
    (b"RIFF", "image/webp", _webp),
    (b"\xff\xd8\xff", "image/jpeg", _jpeg),
]


def _by_magic(head: bytes) -> Finding | None:
    try:
        matches = puremagic.magic_string(head[:MAGIC_BYTES])
    except (puremagic.PureError, ValueError):
        return None
    for match in matches:
        finding = _from_magic(_ALIASES.get(match.mime_type, match.mime_type))
        if finding and match.confidence >= CONFIDENT:
            return finding
    return None


def _from_magic(media_type: str) -> Finding | None:
    """A finding for the types that puremagic's signatures are trusted with; the rest is left to the text test."""
    main = media_type.split("/", 1)[0]
    if media_type in _ACTIVE:
        return Finding(_ACTIVE[media_type], media_type)
    if media_type == "application/pdf":
        return Finding("pdf", media_type)
    if main in _MAIN:
        return Finding(_MAIN[main], media_type)
    return None


def _text(head: bytes, size: int, name: str) -> Finding | None:
    """Text is what decodes without control characters; binary files hold some within their first kilobytes."""
    encoding = _encoding(head)
    if encoding is None:
        return None
    text = head.decode(encoding, errors="ignore")
    if any(character < " " and character not in "\t\n\r\f\x1b" for character in text[:MAGIC_BYTES]):
        return None
    extension = name.rpartition(".")[2].lower()
    metadata: dict[str, Any] = {"encoding": encoding, "lines": len(text.splitlines())}
    if size > len(head):
        metadata["lines_of_first_bytes"] = len(head)
    return Finding("text", _TEXT_BY_EXTENSION.get(extension, "text/plain"), metadata)


def _encoding(head: bytes) -> str | None:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if head.startswith(mark):
            return encoding
    # The cut after the first MiB may split one character, which is at most four bytes long.
    for cut in range(4 if len(head) == HEAD_BYTES else 1):
        try:
            head[: len(head) - cut].decode("utf-8")
            return "utf-8"
        except UnicodeDecodeError:
            continue
    return None
