"""What can go wrong with recipes, besides what every door knows."""

from __future__ import annotations

from ochaq_shared.problems import define

SLUG_TAKEN = define("cookbook.slug_taken", 409, "No free address is left for this name")
