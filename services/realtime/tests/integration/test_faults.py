"""Redis lost, flushed or restarted; readers that do not read; sessions revoked; the process told to end."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from ochaq_shared import live
from websockets.exceptions import ConnectionClosed

SERVERS = ["daphne", "uvicorn"]


def resident_kb(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")))


def job(done: int) -> dict[str, Any]:
    return {"id": "j", "progress": {"done": done, "total": 100}}


async def test_a_flushed_redis_is_signalled_and_its_new_ids_are_bigger(start: Any, own_redis: Any) -> None:
    realtime = start(own_redis.url)
    user = realtime.someone()
    async with realtime.client(user) as client:
        await client.subscribe()
        before = [realtime.append(user, **job(n)) for n in range(3)]
        await client.events(3)
        realtime.redis.flushall()
        after = realtime.append(user, **job(4))
        told = await client.kind("subscribed")
        heard = await client.kind("event")
    assert told["recovered"] is False
    assert before[-1] < told["position"] < heard["id"] == after
    async with realtime.client(user) as late:
        assert (await late.subscribe(after=before[-1]))["recovered"] is False
        assert (await late.subscribe(after=told["position"]))["recovered"] is True
        await late.events(1)
    assert late.ids() == [after]


async def test_a_client_that_asks_for_a_flushed_stream_gets_a_position_above_all_it_knows(
    start: Any, own_redis: Any
) -> None:
    realtime = start(own_redis.url)
    user = realtime.someone()
    known = realtime.append(user, **job(1))
    realtime.redis.flushall()
    async with realtime.client(user) as client:
        answer = await client.subscribe(after=known)
        assert (answer["recovered"], answer["position"] > known) == (False, True)
        await client.quiet()


async def test_what_was_published_while_redis_did_not_reach_us_is_filled_up(start: Any, own_redis: Any) -> None:
    realtime = start(own_redis.url)
    user = realtime.someone()
    async with realtime.client(user) as client:
        await client.subscribe()
        ids = [realtime.append(user, **job(0))]
        await client.events(1)
        for n in range(5):
            # Cut the subscription, and append in the moment in which nobody listens.
            realtime.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            ids += [realtime.append(user, **job(n)) for _ in range(20)]
            await client.events(20)
        await client.quiet()
    assert client.ids() == ids


async def test_a_redis_that_comes_back_empty_is_signalled_on_the_open_socket(start: Any, own_redis: Any) -> None:
    realtime = start(own_redis.url)
    user = realtime.someone()
    async with realtime.client(user) as client:
        await client.subscribe()
        before = realtime.append(user, **job(1))
        await client.events(1)
        own_redis.kill()
        await client.send(type="subscribe", topic="user", after=before)
        assert (await client.kind("problem", 12))["code"] == "unavailable"
        await asyncio.sleep(1.1)  # readiness is kept for a second
        assert realtime.get("/readyz").status_code == 503
        assert realtime.get("/livez").status_code == 200
        own_redis.start()
        told = await client.kind("subscribed", 12)
        after = realtime.append(user, **job(2))
        heard = await client.kind("event")
    assert (told["recovered"], heard["id"]) == (False, after)
    assert before < told["position"] < after


async def test_a_revoked_session_is_cut_at_once_and_no_other(realtime: Any) -> None:
    user = realtime.someone()
    async with (
        realtime.client(user, session="gone") as gone,
        realtime.client(user, session="kept") as kept,
        realtime.client(realtime.someone(), session="gone") as other,
    ):
        for client in (gone, kept, other):
            await client.kind("welcome")
        began = time.monotonic()
        live.revoke(realtime.redis, user, "gone")
        assert await gone.close_code() == 4401
        assert time.monotonic() - began < 2
        for client in (kept, other):
            await client.send(type="ping")
            await client.kind("pong")
        async with realtime.client(user, session="gone") as again:
            assert await again.close_code() == 4401
        live.revoke(realtime.redis, user, None)
        assert await kept.close_code() == 4401


@pytest.mark.parametrize("server", SERVERS)
async def test_sigterm_tells_every_socket_to_come_back(start: Any, servers: Any, server: str) -> None:
    realtime = start(servers.redis_url(db=12), OCHAQ_REALTIME_SERVER=server)
    sockets = [await realtime.connect("/ws/", auth(realtime), "http://school.test:8080") for _ in range(25)]
    began = time.monotonic()
    realtime.process.send_signal(signal.SIGTERM)
    for one in sockets:
        await asyncio.wait_for(one.wait_closed(), 9)
    assert {one.close_code for one in sockets} == {1012}
    assert await asyncio.to_thread(realtime.process.wait, 9) == 0
    assert time.monotonic() - began < 9


def auth(realtime: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {realtime.token(realtime.someone())}"}


@pytest.mark.parametrize("server", SERVERS)
async def test_a_reader_that_does_not_read_is_cut_and_costs_little(start: Any, servers: Any, server: str) -> None:
    realtime = start(servers.redis_url(db=12), OCHAQ_REALTIME_SERVER=server)
    user = realtime.someone()
    stalled = stalled_socket(realtime, user)
    async with realtime.client(user) as reader:
        await reader.subscribe()
        before = resident_kb(realtime.process.pid)
        await asyncio.sleep(1.1)  # the stalled one never subscribes: from now on it is sent what comes
        count = 400
        for n in range(count):
            realtime.append(user, "files.file.completed", id=str(n), pad="x" * 40000)
            await reader.events(1)
        assert reader.ids() == sorted(set(reader.ids()))
    assert b"ochaq_live_slow_readers_total 1.0" in realtime.get("/metrics").content
    assert resident_kb(realtime.process.pid) - before < 12000
    stalled.close()


def stalled_socket(realtime: Any, user: str) -> socket.socket:
    """A handshake by hand, with a small receive buffer that is never emptied."""
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect(("127.0.0.1", realtime.port))
    lines = [
        *("GET /ws/ HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: http://school.test:8080"),
        f"Authorization: Bearer {realtime.token(user)}",
    ]
    stalled.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert b"101" in stalled.recv(64)
    return stalled


@pytest.mark.parametrize("server", SERVERS)
async def test_a_peer_that_answers_no_pings_is_cut(start: Any, servers: Any, server: str) -> None:
    realtime = start(servers.redis_url(db=12), OCHAQ_REALTIME_SERVER=server, OCHAQ_HEARTBEAT_SECONDS="1")
    silent = stalled_socket(realtime, realtime.someone())
    async with realtime.client(realtime.someone()) as alive:
        silent.settimeout(8)
        await asyncio.to_thread(drain, silent)
        await alive.send(type="ping")
        await alive.kind("pong")
    silent.close()


def drain(silent: socket.socket) -> None:
    """Reads until the server hangs up, answering nothing."""
    try:
        while silent.recv(4096):
            pass
    except ConnectionResetError:
        return


async def test_a_killed_process_loses_nothing_for_clients_that_come_back(start: Any, own_redis: Any) -> None:
    realtime = start(own_redis.url)
    user = realtime.someone()
    async with realtime.client(user) as client:
        await client.subscribe()
        ids = [realtime.append(user, **job(n)) for n in range(5)]
        await client.events(5)
        realtime.process.kill()
        with pytest.raises(ConnectionClosed):
            await client.next()
    ids += [realtime.append(user, **job(n)) for n in range(5, 9)]
    again = start(own_redis.url)
    async with again.client(user) as back:
        await back.subscribe(after=client.ids()[-1])
        await back.events(4)
    assert client.ids() + back.ids() == ids
