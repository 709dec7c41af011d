"""Somebody who watches: one socket with several topics, every durable event in the order in which it was shown."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
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
    missing: Counter[str] = field(default_factory=Counter)
    """By topic, how many ids were passed over without a word."""

    told_missing: Counter[str] = field(default_factory=Counter)
    """By topic, how many ids `recovered: false` told this watcher to fetch by other ways."""

    reconnects: int = 0

    def __post_init__(self) -> None:
        self.shown = {topic: [] for topic in self.topics}
        self._about: dict[tuple[str, Any], list[dict[str, Any]]] = {}
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
        return list(self._about.get((topic, subject), ()))

    def gaps(self) -> list[str]:
        """Ids within a topic are consecutive: a missing one was lost without a word."""
        return [f"{self.role}/{topic}: {many} ids were never shown" for topic, many in self.missing.items() if many]

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
                self.told_missing[topic] += message["position"] - self.positions[topic]
            if topic not in self.positions or not message["recovered"]:
                self.positions[topic] = message["position"]
            if len(self.positions) == len(self.topics):
                self._begun.set()
        elif message["type"] == "event" and message["id"] is not None:
            self.shown[topic].append(message)
            self._about.setdefault((topic, message["data"].get("id")), []).append(message)
            self.missing[topic] += max(0, message["id"] - self.positions[topic] - 1)
            self.positions[topic] = max(message["id"], self.positions[topic])
        elif message["type"] == "problem":
            raise ConnectionError(f"the socket of {self.role} answered {message}")
