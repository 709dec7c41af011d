"""Door: the laps of a race. Service tokens only; every call names the job and its fence."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

from ochaq_shared.problems import FieldError, Problem
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ochaq_web.core.authentication import InternalView
from ochaq_web.lab import services

NDJSON = "application/x-ndjson"
MOST_BYTES = 1024 * 1024
MOST_ROWS = 2_000


class Held(BaseModel):
    """What every call carries."""

    model_config = ConfigDict(extra="forbid")

    job: uuid.UUID
    fence: int = Field(ge=1, le=2**53)

    def lap(self) -> dict[str, Any]:
        """The rules' words for it."""
        found = self.model_dump()
        return {"job_id": found.pop("job"), **found}


class Having(Held):
    have: int = Field(ge=0, le=MOST_ROWS)


class Saving(Having):
    rows: int = Field(ge=1, le=MOST_ROWS)


class ClearView(InternalView):
    """`{"job", "fence"}` → `{rows}`, which is 0."""

    def post(self, request: Request) -> Response:
        services.lap_clear(**_read(Held, request.data))
        return Response({"rows": 0})


class CountView(InternalView):
    """`{"job", "fence"}` → `{rows}`."""

    def post(self, request: Request) -> Response:
        return Response({"rows": services.lap_count(**_read(Held, request.data))})


class SaveView(InternalView):
    """`{"job", "fence", "have", "rows"}` → `{rows, seconds}`; call again until `rows` are there."""

    def post(self, request: Request) -> Response:
        return Response(asdict(services.rows_save(**_read(Saving, request.data))))


class DeleteView(InternalView):
    """`{"job", "fence", "have"}` → `{rows, seconds}`; call again until none is left."""

    def post(self, request: Request) -> Response:
        return Response(asdict(services.rows_delete(**_read(Having, request.data))))


class BatchesView(InternalView):
    """`?job=&fence=&have=` and NDJSON → `{rows}`, those of this batch."""

    def post(self, request: Request) -> Response:
        if request.content_type.partition(";")[0].strip() != NDJSON:
            raise Problem("unsupported_media_type", f"Send {NDJSON}.")
        body = request._request.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise Problem("too_large", f"A batch may have {MOST_BYTES} bytes.")
        return Response({"rows": services.batch_copy(body=body, **_read(Having, request.GET.dict()))})


class PurgesView(InternalView):
    """`{"job", "fence"}` → `{rows}`, those that are gone."""

    def post(self, request: Request) -> Response:
        return Response({"rows": services.rows_purge(**_read(Held, request.data))})


def _read(shape: type[Held], data: Any) -> dict[str, Any]:
    try:
        return shape.model_validate(data).lap()
    except ValidationError as error:
        errors = [FieldError("/".join(["", *map(str, row["loc"])]), row["type"], row["msg"]) for row in error.errors()]
        raise Problem("request.invalid", errors=errors) from error
