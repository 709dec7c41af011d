"""One hub per process: from one Redis subscription to every socket that follows a stream.

What holds, for every subscription: each durable event of its stream is delivered exactly once, in the order of ids;
what cannot be delivered any more is signalled by `subscribed {recovered: false}`. See README.md for the argument.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Protocol

import structlog
from ochaq_shared import live
from ochaq_shared.problems import Problem
from prometheus_client import Counter, Gauge
from redis.exceptions import RedisError

from ochaq_realtime import frames
from ochaq_realtime.streams import Kept, Listener, Streams
from ochaq_realtime.topics import Topic

log = structlog.get_logger(__name__)

# After an event for this many sockets the loop gets a turn. Never in the middle of one: a socket that subscribed
# between two halves could be told a position without having been sent the event at it.
CROWD = 500
READY_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0

SUBSCRIPTIONS = Gauge("ochaq_live_subscriptions", "Subscriptions of open sockets")
DELIVERED = Counter("ochaq_live_delivered_total", "Events written to sockets")
GAPS = Counter("ochaq_live_gaps_total", "Missed publications that were filled from a stream", ["outcome"])


class Sink(Protocol):
    """Where a subscription's frames go."""

    def send(self, frame: bytes, *, ephemeral: bool = False) -> None: ...


class Subscription:
    """One topic on one socket. While `held`, events wait in `_waiting`, so that a replay can be sent before them.

    `first` and `last` bound the ids this socket has been sent (or been told to forget): both None before any.
    """

    __slots__ = ("_waiting", "first", "last", "sink", "topic")

    def __init__(self, sink: Sink, topic: Topic) -> None:
        self.sink = sink
        self.topic = topic
        self.first: int | None = None
        self.last: int | None = None
        self._waiting: list[tuple[int | None, bytes, bool]] | None = []

    @property
    def held(self) -> bool:
        return self._waiting is not None

    def hold(self) -> None:
        if self._waiting is None:
            self._waiting = []

    def release(self) -> None:
        """Send what waited, and everything from now on as it comes."""
        waiting, self._waiting = self._waiting or [], None
        for number, frame, lost in waiting:
            if lost:
                self._forget(number or 0)
            else:
                self.deliver(number, frame)

    def deliver(self, number: int | None, frame: bytes) -> None:
        """An event of the stream; one with an id that was sent before is dropped."""
        if self._waiting is not None:
            self._waiting.append((number, frame, False))
            return
        if number is not None:
            if self.last is not None and number <= self.last:
                return
            self.first = number if self.first is None else self.first
            self.last = number
        if frame:
            self.sink.send(frame, ephemeral=number is None)
            DELIVERED.inc()

    def lose(self, position: int) -> None:
        """Everything up to `position` is out of reach; the client must refetch."""
        if self._waiting is not None:
            self._waiting.append((position, b"", True))
        else:
            self._forget(position)

    def first_waiting(self) -> int | None:
        """The id of the first durable event held back."""
        return next((n for n, _, lost in self._waiting or () if n is not None and not lost), None)

    def missed_some(self) -> bool:
        """Whether a gap was signalled while this was held."""
        return any(lost for _, _, lost in self._waiting or ())

    def mark(self, position: int) -> None:
        """The socket is up to date with everything up to `position`."""
        self.last = max(position, self.last or 0)
        self.first = self.last + 1 if self.first is None else self.first

    def was_sent(self, number: int) -> bool:
        return self.first is not None and self.last is not None and self.first <= number <= self.last

    def _forget(self, position: int) -> None:
        # A replay may have read beyond the gap while it waited here: then the client has it all already.
        if self.last is not None and self.last >= position:
            return
        self.first, self.last = position + 1, position
        self.sink.send(frames.subscribed(self.topic.name, position, recovered=False))


class Feed:
    """One stream as this process hears it. `last` is the id up to which everything has been heard.

    An `unsure` feed began while Redis was out of reach: nobody can tell what was published before its first position
    became known, so its members are told to refetch.
    """

    __slots__ = ("last", "members", "ready", "stream", "unsure")

    def __init__(self, stream: str, *, unsure: bool) -> None:
        self.stream = stream
        self.unsure = unsure
        self.last: int | None = None
        self.members: set[Subscription] = set()
        self.ready = asyncio.Event()

    def reached(self, position: int) -> None:
        self.last = position
        self.ready.set()


class Hub:
    """`join` follows a stream from now on; `subscribe` answers a client; `run` keeps listening until cancelled."""

    def __init__(self, streams: Streams, on_control: Callable[[bytes], None]) -> None:
        self._streams = streams
        self._on_control = on_control
        self._feeds: dict[str, Feed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.connected = False

    # --- subscriptions ------------------------------------------------------------------------------------------

    def join(self, sink: Sink, topic: Topic) -> Subscription:
        """A held subscription: nothing is sent before `subscribe` or `release`, nothing is lost meanwhile."""
        subscription = Subscription(sink, topic)
        feed = self._feeds.get(topic.stream)
        if feed is None:
            feed = self._feeds[topic.stream] = Feed(topic.stream, unsure=not self.connected)
            self._spawn(self._announce(feed))
        feed.members.add(subscription)
        SUBSCRIPTIONS.inc()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        feed = self._feeds.get(subscription.topic.stream)
        if feed is None or subscription not in feed.members:
            return
        feed.members.discard(subscription)
        SUBSCRIPTIONS.dec()
        if not feed.members:
            del self._feeds[feed.stream]

    async def subscribe(self, subscription: Subscription, after: int | None) -> None:
        """Answers `subscribed`, replays what came after `after`, then lets events through.

        Raises `Problem("unavailable")` while Redis is away; the subscription stays held then.
        """
        subscription.hold()
        feed = self._feeds[subscription.topic.stream]
        try:
            await asyncio.wait_for(feed.ready.wait(), READY_SECONDS)
            kept = None if after is None else await self._read(feed.stream, after)
        except (RedisError, OSError, TimeoutError) as error:
            raise Problem("unavailable", "Live events are away for a moment.", retry_after=2) from error
        if kept is None:
            self._begin(subscription, feed)
        else:
            self._replay(subscription, kept)
        subscription.release()

    def begin(self, subscription: Subscription) -> None:
        """For a client that did not ask: tells where its subscription begins, if that is known; lets events out."""
        feed = self._feeds[subscription.topic.stream]
        if feed.ready.is_set():
            self._begin(subscription, feed)
        subscription.release()

    async def _read(self, stream: str, after: int) -> Kept:
        """What came after a client's position. One above the stream's own comes from a Redis that has since lost its
        last writes, or from nowhere: ids must go on growing for this client, so the stream begins a new life."""
        kept = await self._streams.read(stream, after)
        if kept.position < after < live.first_id(time.time()):
            position = await self._streams.announce(stream, after)
            return Kept(after, position, position, [])
        return kept

    def _begin(self, subscription: Subscription, feed: Feed) -> None:
        """From now on; what an automatic subscription held back since the socket opened still belongs to "now"."""
        first = subscription.first_waiting()
        position = first - 1 if first is not None else feed.last or 0
        subscription.mark(position)
        whole = not subscription.missed_some()
        subscription.sink.send(frames.subscribed(subscription.topic.name, position, recovered=whole))

    def _replay(self, subscription: Subscription, kept: Kept) -> None:
        topic = subscription.topic
        subscription.sink.send(frames.subscribed(topic.name, kept.position, recovered=kept.whole))
        if kept.whole:
            for number, body in kept.entries:
                if topic.takes(body) and not subscription.was_sent(number):
                    subscription.sink.send(frames.event(topic.name, number, body))
                    DELIVERED.inc()
            subscription.first = min(kept.after + 1, subscription.first or kept.after + 1)
        subscription.mark(kept.position)

    # --- listening ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Listens for ever; after every interruption each followed stream is filled up from where it was."""
        pause = FIRST_PAUSE
        while True:
            try:
                listener = await self._streams.listener()
                try:
                    await self._resume()
                    pause, self.connected = FIRST_PAUSE, True
                    await self._listen(listener)
                finally:
                    self.connected = False
                    await listener.close()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("hub.interrupted", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, so that replicas do not come together
            pause = min(pause * 2, LONGEST_PAUSE)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._streams.close()

    async def _listen(self, listener: Listener) -> None:
        control = live.CONTROL_CHANNEL.encode()
        while True:
            channel, payload = await listener.next()
            if channel == control:
                self._on_control(payload)
                continue
            try:
                published = live.parse_published(payload)
            except ValueError:
                log.error("hub.unreadable", channel=channel.decode())
                continue
            await self._receive(published)

    async def _receive(self, published: live.Published) -> None:
        feed = self._feeds.get(published.stream)
        if feed is None:
            return
        number = published.id
        if number is None:
            await self._fan_out(feed, None, published.body)
            return
        if published.is_position:
            await self._reach(feed, number)
            return
        last = self._begin_at(feed, number - 1) if feed.last is None else feed.last
        if number == last + 1:
            await self._fan_out(feed, number, published.body)
        elif number > last:
            await self._fill(feed)

    async def _reach(self, feed: Feed, position: int) -> None:
        """Everything up to `position` was published before this; what has not been heard was lost on the way."""
        if feed.last is not None and position > feed.last:
            await self._fill(feed)
        elif feed.last is None:
            self._begin_at(feed, position)

    def _begin_at(self, feed: Feed, position: int) -> int:
        """The first position that this process knows of a stream."""
        feed.reached(position)
        if feed.unsure:
            for member in feed.members:
                member.lose(position)
        return position

    async def _fill(self, feed: Feed) -> None:
        """Deliver what the stream keeps beyond `feed.last`, and say so when that is not everything."""
        last = feed.last or 0
        kept = await self._streams.read(feed.stream, last)
        if kept.position < last:
            # Redis came back older than what this process has seen: begin a new life of the stream above it.
            position = await self._streams.announce(feed.stream, last)
            kept = Kept(last, position, position, [])
        if kept.entries or not kept.whole:
            GAPS.labels("filled" if kept.whole else "lost").inc()
        if not kept.whole:
            position = kept.entries[0][0] - 1 if kept.entries else kept.position
            log.warning("hub.gap", stream=feed.stream.partition(":")[0], last=last, position=position)
            feed.reached(position)
            for member in list(feed.members):
                member.lose(position)
        for number, body in kept.entries:
            await self._fan_out(feed, number, body)

    async def _fan_out(self, feed: Feed, number: int | None, body: bytes) -> None:
        """One event to all members; its frame is built once for each topic."""
        if number is not None:
            feed.reached(number)
        built: dict[str, bytes] = {}
        for member in feed.members:
            topic = member.topic
            frame = built.get(topic.name)
            if frame is None:
                # An empty frame is not sent, but still moves the subscription's position on.
                frame = built[topic.name] = frames.event(topic.name, number, body) if topic.takes(body) else b""
            member.deliver(number, frame)
        if len(feed.members) >= CROWD:
            await asyncio.sleep(0)

    async def _resume(self) -> None:
        """After (re)connecting: revocations that were missed, then every stream."""
        for message in await self._streams.revocations(time.time() - live.REVOKED_SECONDS):
            self._on_control(message)
        for feed in list(self._feeds.values()):
            if feed.last is None:
                feed.unsure = True
                await self._streams.announce(feed.stream)
            else:
                await self._fill(feed)

    async def _announce(self, feed: Feed) -> None:
        """A stream nobody followed here: learn its position. When Redis is away `_resume` asks again."""
        try:
            await self._streams.announce(feed.stream)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("hub.announce_failed", error=type(error).__name__)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
