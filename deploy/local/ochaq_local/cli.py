"""The verbs of `python3 deploy/local`, and the one place where a failure becomes a sentence."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from . import instance as instances
from .development import install, restart, run, servers
from .doctor import doctor
from .down import down, reset
from .instance import OBJECT_STORES, Instance
from .logs import logs
from .status import status
from .stop import Stop
from .up import up


def main(words: Sequence[str]) -> int:
    options = _parser().parse_args(words)
    os.umask(0o022)  # what nginx and the servers' user read must be readable; secrets get their own mode
    try:
        return _do(instances.find(), options) or 0
    except Stop as stop:
        print(f"{stop}", file=sys.stderr)
    except OSError as error:
        print(_sentence(error), file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted: the same command takes it up again, `make down` stops what was started.", file=sys.stderr)
    return 1


def _sentence(error: OSError) -> str:
    """What went wrong with this machine, and what to do, without a stack trace."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{place}: free some space, then run the same command again."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"A right is missing{place}: run this as the user who owns it, or as root."
    if error.errno == errno.EROFS:
        return f"The file system is read-only{place}: set OCHAQ_LOCAL to a folder that can be written."
    return f"The system refused something: {error}."


def _do(instance: Instance, options: argparse.Namespace) -> int | None:
    match options.verb:
        case "up":
            up(instance, _port(options.port), options.object_store)
        case "down":
            down(instance)
        case "restart":
            restart(instance, options.name)
        case "reset":
            reset(instance, confirmed=options.yes)
        case "status":
            status(instance, options.format)
        case "logs":
            logs(instance, options.name, follow=options.follow)
        case "doctor":
            return doctor(instance)
        case "servers":
            servers(instance)
        case "run":
            return run(instance, options.name)
        case "install":
            install(options.set)
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy/local", description="Ochaq on one machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    start = verbs.add_parser("up", help="install what is missing and start everything")
    start.add_argument("--port", metavar="PORT", help="the public port (default: the last one, at first 8080)")
    start.add_argument("--object-store", metavar="|".join(OBJECT_STORES), help="where the bytes of files lie")
    verbs.add_parser("down", help="stop everything, keep the data")
    verbs.add_parser("restart", help="restart one process, or all services").add_argument("name", nargs="?")
    verbs.add_parser("run", help="run one service's process in the foreground").add_argument("name")
    verbs.add_parser("reset", help="stop everything and delete the data").add_argument("--yes", action="store_true")
    show = verbs.add_parser("status", help="every process and whether it is ready")
    show.add_argument("--format", choices=("table", "json"), default="table")
    tail = verbs.add_parser("logs", help="what the processes said")
    tail.add_argument("name", nargs="?")
    tail.add_argument("--follow", action="store_true")
    verbs.add_parser("doctor", help="check this machine and this instance")
    verbs.add_parser(
        "servers", help="start only PostgreSQL, Redis and RabbitMQ, and write their addresses to servers.json"
    )
    fetch = verbs.add_parser("install", help="bring .venv and Debian's packages up to date, start nothing")
    fetch.add_argument("set", choices=("local", "dev"))
    return parser


def _port(text: str | None) -> int | None:
    if text is not None and not (text.isascii() and text.isdigit()):
        raise Stop(f"PORT={text} is no port: give a number, as in `make up PORT=8090`.")
    return None if text is None else int(text)
