"""Structured logs with the request id that follows a story from click to socket, and the metrics all services share."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO, cast

import structlog
from prometheus_client import Counter, Histogram

from ochaq_shared.ids import uuid7

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_traceparent: ContextVar[str] = ContextVar("traceparent", default="")

_SAFE_ID = re.compile(r"^[A-Za-z0-9-]{8,64}$")

REQUESTS = Counter("ochaq_http_requests_total", "Requests answered", ["service", "method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "ochaq_http_request_seconds",
    "Time to answer",
    ["service", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
EVENTS_HANDLED = Counter("ochaq_events_handled_total", "Events handled by a consumer", ["queue", "type", "outcome"])
EVENTS_PUBLISHED = Counter("ochaq_events_published_total", "Messages confirmed by RabbitMQ", ["service", "lane"])


def current_request_id() -> str:
    """The request id of the story being told right now, or an empty string."""
    return _request_id.get()


def current_traceparent() -> str:
    """The W3C traceparent of the story being told right now, or an empty string."""
    return _traceparent.get()


def request_id_from(header: str | None) -> str:
    """The gateway's request id when it looks like one, else a new one: a service may also be called directly."""
    return header if header and _SAFE_ID.match(header) else uuid7().replace("-", "")


@contextmanager
def bind_request(request_id: str, traceparent: str = "", **values: Any) -> Iterator[None]:
    """Within the block every log line carries the ids and `values`; what is emitted or called carries them on."""
    id_token = _request_id.set(request_id)
    trace_token = _traceparent.set(traceparent)
    with structlog.contextvars.bound_contextvars(request_id=request_id, **values):
        try:
            yield
        finally:
            _request_id.reset(id_token)
            _traceparent.reset(trace_token)


def stories(request_ids: Iterable[str]) -> list[str]:
    """The request ids of a batch, each once, for its one log line: a line per event would cost more than the event."""
    return sorted({request_id for request_id in request_ids if request_id})


class _Unfailing(io.TextIOBase):
    """A stream that loses lines rather than fail who writes them, as no request may fail for its log line.

    A full disk refuses writes, and so does a pipe whose reader is gone; what comes after is written again as it can.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure(service: str, process: str, level: str = "info") -> None:
    """One JSON object per line on stdout, for structlog and the standard library's loggers alike."""
    stdout = cast(TextIO, _Unfailing(sys.stdout))
    threshold = getattr(logging, level.upper())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _named(service, process),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    # Warnings of libraries would be lines of plain text on stderr.
    logging.captureWarnings(True)


def _named(service: str, process: str) -> structlog.types.Processor:
    def add(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event["service"] = service
        event["process"] = process
        return event

    return add
