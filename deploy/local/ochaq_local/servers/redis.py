"""Redis: cache, fan-out, replay streams, counters. Everything in it can be rebuilt; the log keeps restarts cheap."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from ochaq_local import kept
from ochaq_local.account import Account
from ochaq_local.ports import HOST
from ochaq_local.processes import Process

PROGRAM = Path("/usr/bin/redis-server")

CONF = """\
bind {host}
port {port}
requirepass {password}
dir {home}
daemonize no
appendonly {appendonly}
appendfsync everysec
save ""
maxmemory 512mb
maxmemory-policy noeviction
databases 16
tcp-keepalive 30
"""


@dataclass(frozen=True)
class Redis:
    home: Path
    port: int
    account: Account
    password: str
    durable: bool = True

    def prepare(self) -> None:
        self.account.directory(self.home)
        appendonly = "yes" if self.durable else "no"
        conf = CONF.format(host=HOST, port=self.port, home=self.home, password=self.password, appendonly=appendonly)
        kept.write(self.home / "redis.conf", conf, kept.PRIVATE, self.account.owner)

    def process(self) -> Process:
        return Process(
            name="redis",
            kind="server",
            command=[str(PROGRAM), str(self.home / "redis.conf")],
            directory=self.home,
            port=self.port,
            probe="redis",
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
            user=self.account.name if self.account.is_other else None,
        )

    def url(self, database: int | None = None) -> str:
        base = f"redis://:{self.password}@{HOST}:{self.port}"
        return base if database is None else f"{base}/{database}"


def answers(port: int, password: str) -> bool:
    """Whether Redis serves commands: while it loads its log it answers PING with an error."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                answer += part
    except OSError:
        return False
    return answer.endswith(b"+PONG\r\n")
