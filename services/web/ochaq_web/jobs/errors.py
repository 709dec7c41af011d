"""How a job failed: its class, and the group of failures it belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MOST_DETAIL = 4_000

# What differs from one job to the next although the mistake is the same: ids, addresses, numbers, quoted values.
_VARIABLE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|0x[0-9a-f]+|[0-9a-f]{16,}|'[^']*'|\"[^\"]*\"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)


def error_kept(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What a failed job keeps: `{code, detail, class}`.

    The class is `permanent` (trying again would not help), `exhausted` (it failed transiently once too often) or
    `poison` (it kills its worker, or says so): nobody tries those again but a person.
    """
    if error is None:
        return None
    rest = {name: value for name, value in error.items() if name not in ("retry", "after_seconds")}
    asked = str(error.get("retry") or "permanent")
    return {**rest, "detail": str(error.get("detail", ""))[:MOST_DETAIL], "class": asked}


def error_words(error: Mapping[str, Any] | None) -> str:
    """Code and detail without what differs between failures of one making; PostgreSQL hashes it with the kind."""
    if error is None:
        return ""
    detail = _VARIABLE.sub("#", str(error.get("detail", ""))[:MOST_DETAIL])
    return f"{error.get('code', '')}|{' '.join(detail.split())}"
