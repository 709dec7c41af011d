"""The problem codes of the lab."""

from __future__ import annotations

from ochaq_shared.problems import define

DISTURBED = define("lab.disturbed", 409, "The lab's table is not as this lap left it")
