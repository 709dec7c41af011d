"""Somebody who watches: one socket with several topics, every durable event in the order in which it was shown."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from campus import Campus, StoryBroken
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage


@dataclass
class Watcher:
    """Follows topics in a thread and reconnects with `after`, as contract.md tells clients to."""

    campus: Campus
    role: str
    topics: tuple[str, ...]
    shown: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    unrecovered: list[str] = field(default_factory=list)
    reconnects: int = 0

    def __post_init__(self) -> None:
        self.shown = {topic: [] for topic in self.topics}
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        if not self._begun.wait(30):
            raise AssertionError(f"the socket of {self.role} was never subscribed to {self.topics}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def events(self, topic: str, subject: Any) -> list[dict[str, Any]]:
        """What was shown about one thing, in order."""
        return [event for event in list(self.shown[topic]) if event["data"].get("id") == subject]

    def gaps(self) -> list[str]:
        """Ids within a topic are consecutive: a missing one was lost, a repeated one shown twice."""
        found = []
        for topic, events in self.shown.items():
            ids = [event["id"] for event in events]
            missing = sum(max(0, later - earlier - 1) for earlier, later in pairwise(ids))
            if missing:
                found.append(f"{self.role}/{topic}: {missing} ids were never shown")
        return found + [f"{topic}: history did not reach back" for topic in self.unrecovered]

    def twice(self) -> list[str]:
        found = []
        for topic, events in self.shown.items():
            counts = Counter(event["id"] for event in events)
            found += [
                f"{self.role}/{topic}: id {number} shown {many} times" for number, many in counts.items() if many > 1
            ]
        return found

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (ConnectionClosed, InvalidHandshake, InvalidMessage, OSError, TimeoutError, EOFError, StoryBroken):
                self.reconnects += 1
                time.sleep(0.3)

    def _follow(self) -> None:
        with self.campus.socket(self.role) as socket:
            for topic in self.topics:
                after = {"after": self.positions[topic]} if topic in self.positions else {}
                socket.send(json.dumps({"type": "subscribe", "topic": topic, **after}))
            while not self._stop.is_set():
                try:
                    self._take(json.loads(socket.recv(timeout=0.5)))
                except TimeoutError:
                    continue

    def _take(self, message: dict[str, Any]) -> None:
        topic = str(message.get("topic"))
        if message["type"] == "subscribed":
            if topic in self.positions and not message["recovered"]:
                self.unrecovered.append(topic)
            if topic not in self.positions or not message["recovered"]:
                self.positions[topic] = message["position"]
            if len(self.positions) == len(self.topics):
                self._begun.set()
        elif message["type"] == "event" and message["id"] is not None:
            self.shown[topic].append(message)
            self.positions[topic] = message["id"]
        elif message["type"] == "problem":
            raise ConnectionError(f"the socket of {self.role} answered {message}")
