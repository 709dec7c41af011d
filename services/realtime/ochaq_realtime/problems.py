"""The problems only this service has; the rest come from the shared catalogue."""

from __future__ import annotations

from ochaq_shared.problems import define

UNKNOWN_TOPIC = define("live.unknown_topic", 404, "There is no such topic")
TOO_MANY_TOPICS = define("live.too_many_topics", 409, "This socket follows too many topics")
CHAT_UNAVAILABLE = define("chat.unavailable", 503, "Rooms are not open yet")
