"""Which pages may open a socket: cookies travel with every handshake, so another site's page must be refused."""

from __future__ import annotations

from collections.abc import Sequence

Headers = Sequence[tuple[bytes, bytes]]


def origin_allowed(headers: Headers, allowed: frozenset[str], *, identified: bool) -> bool:
    """Exact comparison with the allow-list. Without an Origin the client is no browser, and must be somebody."""
    origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    if not origins:
        return identified
    return len(origins) == 1 and origins[0] in allowed


def header(headers: Headers, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")
