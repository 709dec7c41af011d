"""Calls between services: bounded in time, retried with jitter where that is safe, signed as the calling service."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import httpx
import structlog

from ochaq_shared import unavailable
from ochaq_shared.identity import Signer
from ochaq_shared.telemetry import current_request_id, current_traceparent

log = structlog.get_logger(__name__)

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
ATTEMPTS = 4
RETRIED = {502, 503, 504, 429}


class UpstreamProblem(Exception):
    """The other service understood and refused: its status and problem body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.body = body
        self.code = str(body.get("code", ""))
        super().__init__(f"{status} {self.code}")


class Unavailable(unavailable.Unavailable):
    """The other service did not answer properly within the retries."""


class InternalClient:
    """An HTTP client for one other service. Thread-safe; keeps its connections open."""

    def __init__(self, base_url: str, signer: Signer, audience: str) -> None:
        self._signer = signer
        self._audience = audience
        self._token = ""
        self._token_until = 0.0
        # Internal calls never leave the house, so proxies of the environment are not asked.
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT, trust_env=False)

    def request(
        self, method: str, path: str, *, idempotent: bool = False, token: str | None = None, **options: Any
    ) -> httpx.Response:
        """One call; `options` are httpx's (`json`, `content`, `params`, `headers`, `timeout`).

        With `idempotent` (and for GET and HEAD) it is tried up to four times. Raises `UpstreamProblem` for a refusal
        (4xx) and `Unavailable` when no proper answer came. `token` speaks for a user instead of for this service.
        """
        attempts = ATTEMPTS if idempotent or method in {"GET", "HEAD"} else 1
        headers = options.pop("headers", {})
        for attempt in range(1, attempts + 1):
            try:
                response = self._http.request(method, path, headers={**headers, **self._headers(token)}, **options)
                if response.status_code < 500 and response.status_code not in RETRIED:
                    return _accepted(response)
                failure = f"answered {response.status_code}"
            except httpx.TransportError as error:
                failure = type(error).__name__
            log.warning("http.retry", path=path, attempt=attempt, failure=failure)
            if attempt < attempts:
                time.sleep(0.1 * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        raise Unavailable(f"{method} {path}: {failure}")

    def stream_lines(self, path: str, params: dict[str, Any] | None = None) -> Iterator[bytes]:
        """The lines of an NDJSON answer as they come; flat memory. Raises like `request`, but does not retry.

        Lines end with a line feed and nothing else: a name may well hold one of the other signs that Unicode ends lines
        with. An answer that ends politely may still be torn (see `ochaq_search.sources`), so streams tell their end.
        """
        try:
            with self._http.stream("GET", path, params=params, headers=self._headers(None)) as response:
                if response.status_code != 200:
                    response.read()
                    _accepted(response)
                    raise Unavailable(f"GET {path}: answered {response.status_code}")
                yield from _lines(response.iter_bytes())
        except httpx.TransportError as error:
            raise Unavailable(f"GET {path}: {type(error).__name__}") from error

    def close(self) -> None:
        self._http.close()

    def _headers(self, token: str | None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {token or self._own_token()}"}
        if current_request_id():
            headers["X-Request-Id"] = current_request_id()
        if current_traceparent():
            headers["traceparent"] = current_traceparent()
        return headers

    def _own_token(self) -> str:
        # A token is good for a minute; signing one per call would cost more than the call's own overhead.
        if time.monotonic() > self._token_until:
            self._token = self._signer.sign(self._audience, f"service:{self._signer.issuer}")
            self._token_until = time.monotonic() + 30
        return self._token


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.status_code < 400:
        return response
    try:
        body = response.json()
    except ValueError:
        body = {}
    raise UpstreamProblem(response.status_code, body if isinstance(body, dict) else {})
