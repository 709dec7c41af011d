"""The engines that can hold the index, and the one place that knows their names."""

from __future__ import annotations

from ochaq_search.engines.base import StudentEngine
from ochaq_search.settings import Settings


class EngineNotBuilt(Exception):
    """The setting names an engine that is planned but not part of this version."""


def open_engine(settings: Settings) -> StudentEngine:
    """The engine that the settings name. Its import waits until here: one engine's library is enough to run."""
    if settings.search_engine == "elasticsearch":
        raise EngineNotBuilt("OCHAQ_SEARCH_ENGINE=elasticsearch is not built yet; set it to tantivy.")
    from ochaq_search.engines.tantivy.engine import TantivyEngine

    return TantivyEngine(settings.index_dir, writer_bytes=settings.search_writer_bytes)
