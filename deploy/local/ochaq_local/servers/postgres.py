"""PostgreSQL: the truth. One cluster, one database and one owning role for each service that has a database."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, run

from ochaq_local import kept
from ochaq_local.account import Account
from ochaq_local.ports import HOST
from ochaq_local.processes import Process
from ochaq_local.stop import Stop

ADMIN = "ochaq_admin"

# `synchronous_commit`, `fsync` and `full_page_writes` keep their safe defaults: what is acknowledged is on the disk.
CONF = """\
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''  # the path of a socket is limited to 107 bytes, a checkout's is not
hba_file = '{home}/pg_hba.conf'
data_directory = '{data}'
max_connections = 100
shared_buffers = 64MB
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
log_line_prefix = '%m [%p] %q%u@%d '
log_min_duration_statement = -1  # a slow statement would be written with its values
# The details of an error and its statement hold people's names and addresses; our own logs say what failed.
log_error_verbosity = terse
log_min_error_statement = panic
client_connection_check_interval = 5s  # a query whose client is gone ends
idle_in_transaction_session_timeout = 5min
tcp_keepalives_idle = 30
jit = off  # our queries are short: compiling them costs more than it saves
{durability}"""
HBA = "host all all 127.0.0.1/32 scram-sha-256\n"
# Only tests run so: their data is thrown away.
NOT_DURABLE = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


def programs() -> Path | None:
    """The folder of the newest installed PostgreSQL's programs: Debian keeps them off PATH."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name)) if found else None


def program(name: str) -> str:
    folder = programs()
    if folder is None:
        raise Stop("PostgreSQL is not installed: `apt-get install postgresql`.")
    return str(folder / name)


@dataclass(frozen=True)
class Postgres:
    home: Path
    port: int
    account: Account
    admin_password: str
    durable: bool = True

    @property
    def data(self) -> Path:
        return self.home / "data"

    def prepare(self) -> None:
        self.account.directory(self.home)
        if not self.data.exists():
            self._initialise()
        durability = "" if self.durable else NOT_DURABLE
        conf = CONF.format(host=HOST, port=self.port, home=self.home, data=self.data, durability=durability)
        kept.write(self.home / "postgresql.conf", conf, kept.PRIVATE, self.account.owner)
        kept.write(self.home / "pg_hba.conf", HBA, kept.PRIVATE, self.account.owner)

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there when whole: a torn start is simply repeated."""
        fresh, secret = self.home / "data.new", self.home / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        kept.write(secret, self.admin_password, kept.PRIVATE, self.account.owner)
        try:
            command = [
                program("initdb"),
                "-D",
                str(fresh),
                "-U",
                ADMIN,
                "--pwfile",
                str(secret),
                "--auth",
                "scram-sha-256",
            ]
            done = self.account.run([*command, "-E", "UTF8", "--locale", "C.UTF-8", "--data-checksums", "--no-sync"])
        finally:
            secret.unlink(missing_ok=True)
        if done.returncode != 0:
            raise Stop(f"PostgreSQL's data directory could not be made: {(done.stderr or done.stdout).strip()[-300:]}")
        self.account.run(["/usr/bin/sync", "-f", str(fresh)])
        fresh.rename(self.data)

    def process(self) -> Process:
        return Process(
            name="postgres",
            kind="server",
            command=[program("postgres"), "-D", str(self.data), "-c", f"config_file={self.home}/postgresql.conf"],
            directory=self.home,
            port=self.port,
            probe="postgres",
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
            # Its guard has ended every process of this cluster, so a pid file can only be stale; PostgreSQL would
            # refuse to start where another process has that pid by now (after a reboot, that is likely).
            stale=(self.data / "postmaster.pid",),
            stop_signal="INT",  # "fast": do not wait for clients to leave
            stop_seconds=30,
            user=self.account.name if self.account.is_other else None,
        )

    def url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{database}"

    @property
    def admin_url(self) -> str:
        return self.url(ADMIN, self.admin_password, "postgres")

    def query(self, sql: str, database: str = "postgres", user: str = ADMIN, password: str | None = None) -> str:
        """Run SQL and give back its rows as lines of `|`-separated values."""
        command = [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", HOST, "-p", str(self.port), "-U", user]
        secret = {"PGPASSWORD": password or self.admin_password, "PGCONNECT_TIMEOUT": "5"}
        done = self.account.run([*command, "-d", database, "-c", sql], secret)
        if done.returncode != 0:
            raise Stop(f"PostgreSQL refused a statement: {done.stderr.strip()[-300:]}")
        return done.stdout.strip()

    def ensure_database(self, name: str, password: str) -> None:
        """A role and the database it owns; both have the same name. Nobody else may connect to it."""
        if not self.query(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):  # noqa: S608 (names and passwords are our own words)
            self.query(f"CREATE ROLE {name} LOGIN")
        if not self.query(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):  # noqa: S608
            self.query(f"CREATE DATABASE {name} OWNER {name}")
        self.query(f"ALTER ROLE {name} PASSWORD '{password}'; REVOKE ALL ON DATABASE {name} FROM PUBLIC")


def answers(port: int) -> bool:
    """Whether the server takes connections (it listens earlier than that, while it recovers)."""
    folder = programs()
    if folder is None:
        return False
    command = [str(folder / "pg_isready"), "-q", "-h", HOST, "-p", str(port), "-t", "2"]
    return run(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, check=False).returncode == 0
