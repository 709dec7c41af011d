"""The embedded engine: index directories under one root, one of them live."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog
from ochaq_shared.ids import uuid7

from ochaq_search.engines.base import EngineUnavailable, StudentWriter
from ochaq_search.engines.tantivy import pointer as pointers
from ochaq_search.engines.tantivy import schema as fields
from ochaq_search.engines.tantivy.reader import TantivyReader
from ochaq_search.engines.tantivy.writer import TantivyWriter

log = structlog.get_logger(__name__)

PREFIX = "students-"


class TantivyEngine:
    """One process of the platform calls `writer` and `building`; any number call `reader`."""

    def __init__(self, root: Path, *, writer_bytes: int) -> None:
        self.root = root
        self._heap = writer_bytes

    def reader(self) -> TantivyReader:
        reader = TantivyReader(self.root)
        reader.refresh()
        return reader

    def writer(self) -> TantivyWriter | None:
        self.root.mkdir(parents=True, exist_ok=True)
        pointer = pointers.read(self.root)
        self._sweep(keep=pointer.index if pointer else "")
        if pointer is None or pointer.schema != fields.VERSION or not self._has_files(pointer.index):
            return None
        try:
            writer = TantivyWriter(self.root, pointer.index, heap=self._heap)
        except EngineUnavailable as error:
            log.warning("index.unusable", index=pointer.index, error=str(error))
            return None
        # A crash between commit and announcement leaves the pointer behind the index: say again where it stands.
        writer.announce(durable=False)
        return writer

    def building(self) -> TantivyWriter:
        name = f"{PREFIX}{uuid7()}"
        try:
            (self.root / name).mkdir(parents=True)
        except OSError as error:
            raise EngineUnavailable(f"cannot make {name}: {error}") from error
        return TantivyWriter(self.root, name, heap=self._heap)

    def publish(self, built: StudentWriter) -> str:
        assert isinstance(built, TantivyWriter)
        previous = pointers.read(self.root)
        built.announce(durable=True)
        # The index before this one stays until the next swap or start: a reader may be opening it at this moment.
        self._sweep(keep=built.name, also=previous.index if previous else "")
        return built.name

    def is_live(self, writer: StudentWriter) -> bool:
        assert isinstance(writer, TantivyWriter)
        pointer = pointers.read(self.root)
        return pointer is not None and pointer.index == writer.name and self._has_files(writer.name)

    def discard(self, writer: StudentWriter) -> None:
        assert isinstance(writer, TantivyWriter)
        writer.close()
        shutil.rmtree(self.root / writer.name, ignore_errors=True)

    def _has_files(self, name: str) -> bool:
        return (self.root / name / "meta.json").is_file()

    def _sweep(self, *, keep: str, also: str = "") -> None:
        """Delete indexes that are not live: left by a rebuild that was killed, or replaced by one."""
        for path in self.root.glob(f"{PREFIX}*"):
            if path.name not in {keep, also}:
                shutil.rmtree(path, ignore_errors=True)
