"""`ochaq outbox replay`: events of the last days once more, to everybody or to one queue."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg

from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.cli.audit import audited
from ochaq_shared.cli.environment import setting
from ochaq_shared.cli.output import show
from ochaq_shared.replay import Position, ReplayRefused, ReplayStopped, Stretch, count, held_back, replay

DATABASES = {"web": "OCHAQ_DATABASE_URL", "files": "OCHAQ_FILES_DATABASE_URL"}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("outbox", help="events on their way")
    actions = parser.add_subparsers(dest="action", required=True)
    action = actions.add_parser("replay", help="send events of a stretch of time again")
    action.add_argument("--service", choices=tuple(DATABASES), required=True, help="whose events")
    action.add_argument("--from", dest="since", type=_moment, required=True, help="RFC 3339, UTC without an offset")
    action.add_argument("--to", dest="until", type=_moment, required=True)
    action.add_argument("--type", dest="types", default="*", metavar="GLOB", help="such as 'ochaq.students.*'")
    action.add_argument("--queue", help="to this queue alone; else to all consumers")
    action.add_argument("--after", type=_position, default=Position(), help="go on after this position (txid:id)")
    action.add_argument("--reason", default="", help="for the audit")
    action.add_argument("--dry-run", action="store_true", help="only count them by type")
    action.set_defaults(run=_replay)


def _replay(options: argparse.Namespace) -> int:
    try:
        stretch = Stretch(options.since, options.until, options.types, options.queue, options.after)
        with closing(psycopg.connect(setting(DATABASES[options.service]), autocommit=True)) as connection:
            if options.dry_run:
                show([{"type": name, "events": n} for name, n in count(connection, stretch)], as_json=options.json)
                return 0
            return _send(connection, stretch, options)
    except (ReplayRefused, BrokerUnavailable, psycopg.Error) as error:
        sys.exit(f"ochaq: {error}")


def _send(connection: psycopg.Connection[Any], stretch: Stretch, options: argparse.Namespace) -> int:
    amqp_url = setting("OCHAQ_AMQP_URL")
    targets = [f"{options.service} {stretch.types} {stretch.since.isoformat()} {stretch.until.isoformat()}"]
    try:
        with audited(
            amqp_url, "outbox.replay", targets=[*targets, options.queue or "all"], reason=options.reason
        ) as told:
            sent, position = replay(connection, amqp_url, stretch)
            told.outcome = f"{sent} events sent again, up to {position}"
    except ReplayStopped as stopped:
        sys.exit(
            f"ochaq: {stopped}. Go on with --after {stopped.position}; running it again from the start is safe too."
        )
    waiting = held_back(connection, stretch)
    show([{"events": sent, "position": str(position), "held_back": waiting}], as_json=options.json)
    return 0


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _position(text: str) -> Position:
    return Position.parse(text)
