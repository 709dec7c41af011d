"""The rule of maintenance.sweep, which a schedule starts every hour."""

from __future__ import annotations

from typing import Any

from ochaq_worker.runs import Run


def sweep(run: Run) -> dict[str, Any]:
    """Let web forget what is too old: `{}` → how much of each."""
    return run.web.sweep()
