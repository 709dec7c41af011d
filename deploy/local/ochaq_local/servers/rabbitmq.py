"""RabbitMQ: commands and events. Its own node name, cookie, port mapper and ports, all on the loopback interface."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from ochaq_local import kept
from ochaq_local.account import Account
from ochaq_local.ports import HOST
from ochaq_local.processes import Process
from ochaq_local.stop import Stop

USER = "ochaq"
VHOST = "ochaq"

CONF = """\
listeners.tcp.1 = {host}:{port}
default_user = {user}
default_pass = {password}
default_vhost = {vhost}
default_user_tags.administrator = true
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 100MB
collect_statistics_interval = 30000
log.console = true
log.console.level = warning
log.file = false
log.connection.level = error  # probes greet and leave; that is no event
"""

# Two schedulers that sleep when idle: Erlang's defaults start one per core and spin, which costs idle CPU.
LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
ERLANG = f"+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none {LOOPBACK}"


def programs() -> Path | None:
    """The newest release's own scripts: Debian's wrapper in /usr/sbin refuses every user but root and rabbitmq."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1].parent if found else None


@dataclass(frozen=True)
class RabbitMQ:
    home: Path
    port: int
    distribution_port: int
    mapper_port: int
    account: Account
    password: str
    cookie: str
    instance: str
    durable: bool = True

    def prepare(self) -> None:
        self.account.directory(self.home)
        conf = CONF.format(host=HOST, port=self.port, user=USER, password=self.password, vhost=VHOST)
        kept.write(self.home / "rabbitmq.conf", conf, kept.PRIVATE, self.account.owner)
        kept.write(self.home / "enabled_plugins", "[].\n", kept.PUBLIC, self.account.owner)
        kept.write(self.home / ".erlang.cookie", self.cookie, 0o400, self.account.owner)

    @property
    def node(self) -> str:
        return f"ochaq_{self.instance}@localhost"

    @property
    def environment(self) -> dict[str, str]:
        """For the server and for `rabbitmqctl` alike."""
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(self.home),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": str(self.home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            "RABBITMQ_CTL_ERL_ARGS": LOOPBACK,
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_CRASH_DUMP": str(self.home / "erl_crash.dump"),
        }

    def program(self, name: str) -> str:
        folder = programs()
        if folder is None:
            raise Stop("RabbitMQ is not installed: `apt-get install rabbitmq-server`.")
        return str(folder / name)

    def process(self) -> Process:
        # The start script stays as a shell around Erlang unless it believes systemd watches; then it becomes Erlang
        # itself, and the supervisor's signals reach the server and not a shell.
        direct = {"RUNNING_UNDER_SYSTEMD": "true"}
        return Process(
            name="rabbitmq",
            kind="server",
            command=[self.program("rabbitmq-server")],
            directory=self.home,
            port=self.port,
            probe="amqp",
            environment={**self.environment, **direct},
            stop_seconds=30,
            user=self.account.name if self.account.is_other else None,
        )

    def control(self, *args: str) -> str:
        """Run `rabbitmqctl`."""
        done = self.account.run([self.program("rabbitmqctl"), "-q", *args], self.environment, self.home)
        if done.returncode != 0:
            raise Stop(f"rabbitmqctl {args[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout

    def url(self, vhost: str | None = VHOST) -> str:
        base = f"amqp://{USER}:{self.password}@{HOST}:{self.port}"
        return base if vhost is None else f"{base}/{vhost}"


def answers(port: int) -> bool:
    """Whether the broker greets an AMQP client: it opens its port only when its boot is over."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
