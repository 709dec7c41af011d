"""Facts about files."""

from __future__ import annotations

from ochaq_shared.events.base import Fact, fact


class _FileFact(Fact):
    id: str
    owner: str
    name: str
    folder: str
    size: int
    sha256: str
    media_type: str
    kind: str
    status: str
    failure: str | None


@fact("files.file.uploaded", source="/files")
class FileUploaded(_FileFact):
    """The bytes are stored; processing has not begun."""


@fact("files.file.completed", source="/files")
class FileCompleted(_FileFact):
    """Processing ended well."""


@fact("files.file.failed", source="/files")
class FileFailed(_FileFact):
    """Processing ended with `failure`."""


@fact("files.file.changed", source="/files")
class FileChanged(_FileFact):
    """An entry has another name or folder; its content is what it was."""


@fact("files.file.removed", source="/files")
class FileRemoved(_FileFact):
    """The entry is gone."""
