"""Facts about search indexes."""

from __future__ import annotations

from ochaq_shared.events.base import Fact, fact


@fact("search.index.rebuilt", source="/search")
class IndexRebuilt(Fact):
    """A new index took the place of the live one."""

    index: str
    documents: int
    seconds: float
    job_id: str | None
