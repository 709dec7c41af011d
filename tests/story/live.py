"""A browser's side of the socket: numbered events, replay after a reconnect, nothing lost and nothing twice."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from campus import Campus, StoryBroken, hold
from websockets.exceptions import ConnectionClosed, InvalidHandshake


@dataclass
class Watcher:
    """Follows the topic `user` of one role in a thread, reconnecting with `after` as contract.md says."""

    campus: Campus
    role: str
    events: list[dict[str, Any]] = field(default_factory=list)
    recovered: list[bool] = field(default_factory=list)
    position: int | None = None

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        hold(self._ready.wait(20), "the socket never answered `subscribed`")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def of_job(self, job_id: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["data"].get("id") == job_id]

    def wait_end(self, job_id: str, seconds: float) -> dict[str, Any]:
        """The terminal event of a job."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.of_job(job_id):
                if event["data"]["status"] in {"succeeded", "failed", "cancelled"}:
                    return event
            time.sleep(0.01)
        raise StoryBroken(f"no terminal event of job {job_id} in {seconds} s")

    def check(self) -> None:
        """Ids grow without gap or double, and no job's progress goes back."""
        ids = [event["id"] for event in self.events if event["id"] is not None]
        hold(ids == sorted(set(ids)), f"ids are not growing: {ids}")
        if all(self.recovered):
            hold(not ids or ids == list(range(ids[0], ids[-1] + 1)), f"ids have a gap: {ids}")
        highest: dict[str, int] = {}
        for event in (found for found in self.events if found["name"].startswith("jobs.")):
            done = event["data"]["progress"]["done"]
            job = event["data"]["id"]
            hold(done >= highest.get(job, 0), f"progress of job {job} went back from {highest.get(job)} to {done}")
            highest[job] = done

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                time.sleep(0.3)

    def _follow(self) -> None:
        with self.campus.socket(self.role) as socket:
            after = {} if self.position is None else {"after": self.position}
            socket.send(json.dumps({"type": "subscribe", "topic": "user", **after}))
            while not self._stop.is_set():
                try:
                    self._take(json.loads(socket.recv(timeout=0.5)))
                except TimeoutError:
                    continue

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribed" and message["topic"] == "user":
            if self.position is not None:
                self.recovered.append(message["recovered"])
            if self.position is None or not message["recovered"]:
                self.position = message["position"]
            self._ready.set()
        elif message["type"] == "event" and message["topic"] == "user":
            self.events.append(message)
            if message["id"] is not None:
                self.position = message["id"]
