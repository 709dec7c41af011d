"""The problem codes that only the search service answers with."""

from ochaq_shared.problems import define

INDEX_MISSING = define("search.index_missing", 503, "The search index is being made")
