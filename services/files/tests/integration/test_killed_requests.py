"""kill -9 in the middle of an upload with an Idempotency-Key: applied once or not at all, one answer for the retry."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from ochaq_shared import failpoints

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("point", "applied"), [("files.answered", 1), ("outbox.inserted", 0)])
def test_a_killed_upload_is_applied_once_and_answered_once(
    open_house: Callable[..., Any], person: str, tmp_path: Path, point: str, applied: int
) -> None:
    points = tmp_path / "points.json"
    house = open_house(OCHAQ_FAILPOINTS_FILE=str(points))
    content, key = os.urandom(3000), {"Idempotency-Key": uuid.uuid4().hex}

    def upload(process: Any) -> httpx.Response:
        with house.client(process, person) as client:
            return client.post("/api/v1/files/", files={"file": ("a.bin", content)}, headers=key)

    serve = house.start("serve")
    failpoints.write(points, {point: {"do": "kill", "times": 1}})
    with pytest.raises(httpx.TransportError):
        upload(serve)
    assert failpoints.fired(points, point) == 1
    assert len(house.rows("SELECT 1 FROM file")) == len(house.events()) == applied
    serve = house.start("serve")
    began = time.monotonic()
    while (answer := upload(serve)).status_code != 201:
        assert answer.status_code in {409, 503}
        assert time.monotonic() < began + 10
        time.sleep(0.05)
    assert time.monotonic() - began < 3
    assert ("Idempotency-Replayed" in answer.headers) == bool(applied)
    again = upload(serve)
    assert (again.content, again.headers["Location"]) == (answer.content, answer.headers["Location"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(house.rows("SELECT 1 FROM file")) == len(house.events()) == 1
