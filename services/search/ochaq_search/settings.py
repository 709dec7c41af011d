"""The settings of the search service; the only file of it that reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ochaq_shared.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    """What every service has, and which engine holds the indexes."""

    search_engine: Literal["tantivy", "elasticsearch"] = Field(
        default="tantivy", description="tantivy embeds the engine in this service; elasticsearch is for many machines"
    )
    index_dir: Path = Field(description="where the embedded engine keeps its indexes; rebuilt by itself when missing")
    search_writer_bytes: int = Field(
        default=256_000_000,
        ge=15_000_000,
        description="most memory of the index writer; used only for large batches, where more makes fewer segments",
    )
    search_answer_cache: int = Field(default=2048, ge=0, description="answers kept per index generation")
