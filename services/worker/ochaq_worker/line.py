"""The wire to web: a few connections that stay open, and a token that is signed once a minute.

A no-op job is two calls and little else, so the client is most of what it costs: `http.client` takes 0.08 ms of
processor time for one, httpx 0.39 ms. Everything asked over this line is safe to ask again (claims and writes are
fenced, chunks are idempotent), which is why a connection that turns out to be closed is simply replaced.
"""

from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from ochaq_shared.http import Unavailable
from ochaq_shared.identity import Signer
from ochaq_shared.telemetry import current_request_id, current_traceparent

CONNECT_SECONDS = 2.0
TOKEN_SECONDS = 30.0  # half of a token's life
JSON = "application/json"
Connection = http.client.HTTPConnection


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the body, and how long the other side asks to wait (`Retry-After`), if it does."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> dict[str, Any]:
        """The body as an object; anything else is an empty one."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}


class Line:
    """POST requests to one service, signed as the worker. Thread-safe; not to be shared across a fork."""

    def __init__(self, base_url: str, signer: Signer, audience: str) -> None:
        self._address = urlsplit(base_url)
        self._signer = signer
        self._audience = audience
        self._idle: list[Connection] = []  # append and pop are atomic, so threads share it as it is
        self._token, self._token_until = "", 0.0

    def post(
        self,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        content_type: str = JSON,
        params: dict[str, Any] | None = None,
        timeout: float,
    ) -> Answer:
        """One call. Raises `Unavailable` when no whole answer came within `timeout` seconds of silence."""
        body = orjson.dumps(json) if content is None else content
        target = f"{path}?{urlencode(params)}" if params else path
        headers = self._headers(content_type)
        while True:
            kept = self._idle.pop() if self._idle else None
            connection = kept or self._connect(path)
            try:
                return self._ask(connection, target, body, headers, timeout)
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                # Web closed a connection that lay idle: no news about web. A new one failing is.
                if kept is None or isinstance(error, TimeoutError):
                    raise Unavailable(f"POST {path}: {type(error).__name__}") from error

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _ask(self, connection: Connection, target: str, body: bytes, headers: dict[str, str], timeout: float) -> Answer:
        connection.sock.settimeout(timeout)
        connection.request("POST", target, body=body, headers=headers)
        response = connection.getresponse()
        answer = Answer(response.status, response.read(), _seconds(response.getheader("Retry-After")))
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def _connect(self, path: str) -> Connection:
        secure = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as error:
            raise Unavailable(f"POST {path}: {type(error).__name__}") from error
        # Head and body are two writes; without this the second one waits for the first one's acknowledgement.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _headers(self, content_type: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._own_token()}", "Content-Type": content_type}
        if request_id := current_request_id():
            headers["X-Request-Id"] = request_id
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent
        return headers

    def _own_token(self) -> str:
        if time.monotonic() > self._token_until:
            self._token = self._signer.sign(self._audience, f"service:{self._signer.issuer}")
            self._token_until = time.monotonic() + TOKEN_SECONDS
        return self._token


def _seconds(header: str | None) -> float | None:
    """`Retry-After` in seconds; its other form, a date, is used by none of our services."""
    return float(header) if header and header.isdigit() else None
