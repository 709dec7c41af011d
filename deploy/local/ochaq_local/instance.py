"""One instance of Ochaq on this machine: where its state lies, who runs its servers, its ports and its secrets."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from . import account, credentials, kept, ports, processes
from .account import Account
from .stop import Stop

CHECKOUT = Path(__file__).resolve().parents[3]
ELSEWHERE = Path("/var/lib/ochaq")
SOCKET_LIMIT = 100  # Linux allows 107 bytes; supervisord binds to a longer, temporary name first

DATA_LIMIT = 80  # nginx' own socket lies below it
PLAIN = re.compile(r"[A-Za-z0-9._/:@+-]+")  # what nginx' configuration reads without quoting

EXTRA_PORTS = ("rabbitmq-distribution", "rabbitmq-mapper", processes.OBJECT_STORE)
OBJECT_STORES = ("local", "s3")


def state_directory() -> Path:
    """`OCHAQ_LOCAL`, or `.local` in the checkout."""
    return Path(os.environ.get("OCHAQ_LOCAL") or CHECKOUT / ".local").resolve()


@dataclass
class Instance:
    state: Path
    checkout: Path = CHECKOUT
    ports: dict[str, int] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """Follows from the path alone, so that processes are still known as ours when somebody deleted the state."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:12]

    @cached_property
    def kept(self) -> dict[str, Any]:
        return kept.read_json(self.state / "instance.json") or {}

    def keep(self, **values: Any) -> None:
        self.kept.update(values)
        kept.write_json(self.state / "instance.json", self.kept, kept.PUBLIC)

    @property
    def exists(self) -> bool:
        return (self.state / "instance.json").exists()

    @cached_property
    def account(self) -> Account:
        return account.for_servers()

    @cached_property
    def secrets(self) -> dict[str, str]:
        return credentials.load(self.state / "secrets.json")

    @property
    def python(self) -> str:
        return str(self.checkout / ".venv" / "bin" / "python")

    @property
    def data(self) -> Path:
        return Path(self.kept["data"])

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def done(self) -> Path:
        """Stands while a whole `up` is in force: an interrupted one is taken up where it stopped."""
        return self.run / "up.done"

    @property
    def url(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    @property
    def port(self) -> int:
        return int(self.kept.get("port", ports.DEFAULT_GATEWAY))

    @property
    def object_store(self) -> str:
        return str(self.kept.get("object_store", OBJECT_STORES[0]))

    @property
    def socket(self) -> Path:
        """The supervisor's socket, in a private folder under /tmp where the usual path is too long for a socket."""
        usual = self.run / "supervisor.sock"
        if len(str(usual)) <= SOCKET_LIMIT:
            return usual
        return Path("/tmp") / f"ochaq-{os.geteuid()}-{self.id}" / "supervisor.sock"  # noqa: S108 (made private, owner checked)

    def address(self, name: str) -> str:
        return f"{ports.HOST}:{self.ports[name]}"

    def load_ports(self) -> None:
        self.ports = kept.read_json(self.state / "ports.json") or {}

    def pick_ports(self) -> None:
        """Only while none of this instance's processes lives: their own ports would look taken."""
        names = [name for name in processes.NAMES if name != "gateway"]
        self.ports = ports.pick([*names, *EXTRA_PORTS], self.state / "ports.json", frozenset({self.port}))

    def choose_data(self) -> Path:
        """Where the servers' data lies: not in a checkout that only its owner can enter, as under /root."""
        if "data" not in self.kept:
            self.keep(data=str(self._place_for_data()))
        return self.data

    def _place_for_data(self) -> Path:
        usual = self.state / "data"
        fits = PLAIN.fullmatch(str(usual)) is not None and len(str(usual)) <= DATA_LIMIT
        if fits and self.account.can_enter(self.state):
            return usual
        if os.geteuid() == 0:
            return ELSEWHERE / self.id
        raise Stop(f"{usual} is too long, or has signs nginx cannot read: set OCHAQ_LOCAL to a short, plain folder.")


def find() -> Instance:
    """The instance this command is about."""
    found = Instance(state_directory())
    found.load_ports()
    return found
