"""Zulip's verify_action for files: a folder's list that followed events is the list fetched anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from event_reducers import FILE_FIELDS, State, files, held, reduced
from ochaq_shared.events import CloudEvent


@dataclass
class Shelf:
    """Somebody looking at their files, in a house whose events can be read."""

    house: Any
    client: httpx.Client
    person: str
    at: int = 0

    def fetched(self) -> State:
        answer = self.client.get("/api/v1/files/", params={"limit": 200})
        return held(answer.raise_for_status().json()["results"], FILE_FIELDS)

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        rows = self.house.rows("SELECT id, body FROM outbox WHERE id > %s ORDER BY id", self.at)
        self.at = rows[-1]["id"] if rows else self.at
        events = [CloudEvent.model_validate(row["body"]) for row in rows]
        return [(event.name, event.data) for event in events if event.data["owner"] == self.person]

    def verify(self, action: Callable[[], Any]) -> Any:
        """Do something and wait until it is settled; what was held and followed must be what is there."""
        before = self.fetched()
        self.told()
        answer = action()
        self.house.wait(lambda: {row["status"] for row in self.fetched().values()} <= {"completed", "failed"})
        after = self.fetched()
        assert reduced(files, before, self.told()) == after
        assert before != after, "an action that changes nothing verifies nothing"
        return answer

    def upload(self, name: str, content: bytes, folder: str = "kitchen") -> str:
        answer = self.client.post("/api/v1/files/", files={"file": (name, content)}, data={"folder": folder})
        return str(answer.raise_for_status().json()["id"])

    def patch(self, file_id: str, **changes: str) -> None:
        self.client.patch(f"/api/v1/files/{file_id}", json=changes).raise_for_status()


@pytest.fixture
def shelf(house: Any, serve: Any, client: httpx.Client, person: str) -> Shelf:
    house.start("relay")
    house.start("consume")
    return Shelf(house, client, person)


def test_files_that_come_change_and_go_are_followed(shelf: Shelf) -> None:
    menu = shelf.verify(lambda: shelf.upload("menu.txt", b"soup, bread, tea\n"))
    shelf.verify(lambda: shelf.upload("plate.png", b"\x89PNG\r\n\x1a\n" + os.urandom(4)))
    assert {row["status"] for row in shelf.fetched().values()} == {"completed", "failed"}
    shelf.verify(lambda: shelf.patch(menu, name="dinner.txt"))
    shelf.verify(lambda: shelf.patch(menu, folder="kitchen/2026"))
    assert shelf.verify(lambda: shelf.upload("dinner.txt", b"only tea\n", "kitchen/2026")) == menu
    shelf.verify(lambda: shelf.upload("copy.txt", b"only tea\n"))
    shelf.verify(lambda: shelf.client.delete(f"/api/v1/files/{menu}"))
    shelf.told()
    shelf.patch(next(iter(shelf.fetched())), folder="kitchen")
    assert shelf.told() == [], "a move to where it is tells nothing"
