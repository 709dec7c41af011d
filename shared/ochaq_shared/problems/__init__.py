"""RFC 9457 problem details: one exception, one catalogue of codes, one shape for every door.

A rule raises `Problem("students.email_taken", ...)`; the service's door turns it into an `application/problem+json`
answer. Codes are registered with `define` when a service's `problems.py` is imported; an unknown code is a programming
error and raises at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One row of the catalogue: a stable code, its HTTP status and its title."""

    code: str
    status: int
    title: str


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one part of the input. `pointer` is a JSON Pointer (RFC 6901) or a parameter's name."""

    pointer: str
    code: str
    detail: str


_catalogue: dict[str, Kind] = {}


def define(code: str, status: int, title: str) -> str:
    """Register a code; registering it again with another meaning raises ValueError. Returns the code."""
    kind = Kind(code, status, title)
    if _catalogue.setdefault(code, kind) != kind:
        raise ValueError(f"problem code {code} is defined twice with different meanings")
    return code


def catalogue() -> list[Kind]:
    """Every registered code, sorted."""
    return sorted(_catalogue.values(), key=lambda kind: kind.code)


def kind_of(code: str) -> Kind:
    """The catalogue row of a code; KeyError when nobody defined it."""
    return _catalogue[code]


GENERIC = [
    ("request.malformed", 400, "The request cannot be read"),
    ("request.invalid", 422, "The request is not valid"),
    ("auth.required", 401, "Sign in first"),
    ("auth.invalid_token", 401, "The token is not valid"),
    ("auth.invalid_credentials", 401, "The name or the password is wrong"),
    ("auth.forbidden", 403, "You may not do this"),
    ("auth.cross_site", 403, "The request came from another site"),
    ("not_found", 404, "Not found"),
    ("method_not_allowed", 405, "Method not allowed"),
    ("not_acceptable", 406, "No acceptable representation"),
    ("request.timeout", 408, "The request took too long"),
    ("conflict", 409, "The state does not allow this"),
    ("idempotency.in_progress", 409, "A request with this Idempotency-Key is still running"),
    ("idempotency.mismatch", 422, "This Idempotency-Key was used with another request"),
    ("precondition_failed", 412, "The precondition does not hold"),
    ("too_large", 413, "The request is too large"),
    ("uri_too_long", 414, "The address is too long"),
    ("unsupported_media_type", 415, "The content type is not supported"),
    ("range_not_satisfiable", 416, "The range cannot be satisfied"),
    ("rate_limited", 429, "Too many requests"),
    ("internal", 500, "Something went wrong on our side"),
    ("upstream", 502, "A service behind the gateway did not answer properly"),
    ("unavailable", 503, "Not available right now"),
    ("upstream.timeout", 504, "A service behind the gateway took too long"),
]
for _code, _status, _title in GENERIC:
    define(_code, _status, _title)

_BY_STATUS = {
    400: "request.malformed",
    401: "auth.required",
    403: "auth.forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request.timeout",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "request.invalid",
    429: "rate_limited",
    502: "upstream",
    503: "unavailable",
    504: "upstream.timeout",
}


def code_for_status(status: int) -> str:
    """The generic code for a bare HTTP status, e.g. one that a framework raised."""
    return _BY_STATUS.get(status, "internal" if status >= 500 else "request.malformed")


class Problem(Exception):
    """An answer that says what went wrong.

    `code` must be in the catalogue. `detail` is for people and never carries exception text of a 5xx.
    `headers` are added to the answer; `retry_after` (seconds) also becomes the Retry-After header.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.kind = kind_of(code)
        self.detail = detail or self.kind.title
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers.setdefault("Retry-After", str(retry_after))
        super().__init__(f"{code}: {self.detail}")

    @property
    def code(self) -> str:
        return self.kind.code

    @property
    def status(self) -> int:
        return self.kind.status

    def body(self, request_id: str, public_url: str = "") -> dict[str, Any]:
        """The RFC 9457 members plus `code`, `request_id` and `errors`."""
        body: dict[str, Any] = {
            "type": f"{public_url}/problems/{self.code}",
            "title": self.kind.title,
            "status": self.status,
            "detail": self.detail,
            "instance": f"/requests/{request_id}",
            "code": self.code,
            "request_id": request_id,
            "errors": [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in self.errors],
        }
        if self.retry_after is not None:
            body["retry_after"] = self.retry_after
        return body
