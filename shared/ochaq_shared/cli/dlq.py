"""`ochaq dlq list|replay|drop`: the messages that nobody could handle."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ochaq_shared.bus import dead_letters
from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.cli.environment import setting
from ochaq_shared.cli.output import show


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("dlq", help="dead letters")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="show them").set_defaults(run=_list)
    for name, text in (("replay", "send them back to the queue they came from"), ("drop", "forget them")):
        action = actions.add_parser(name, help=text)
        action.add_argument("id", nargs="*", help="message ids; all when none is given")
        action.set_defaults(run=_replay if name == "replay" else _drop)


def _list(options: argparse.Namespace) -> int:
    show([_row(letter) for letter in _guard(dead_letters.peek, setting("OCHAQ_AMQP_URL"))], as_json=options.json)
    return 0


def _replay(options: argparse.Namespace) -> int:
    done = _guard(dead_letters.replay, setting("OCHAQ_AMQP_URL"), set(options.id))
    show([_row(letter) for letter in done], as_json=options.json)
    return 0


def _drop(options: argparse.Namespace) -> int:
    done = _guard(dead_letters.drop, setting("OCHAQ_AMQP_URL"), set(options.id))
    show([_row(letter) for letter in done], as_json=options.json)
    return 0


def _row(letter: dead_letters.DeadLetter) -> dict[str, Any]:
    return {"id": letter.id, "queue": letter.queue, "type": letter.type, "error": letter.error[:80]}


def _guard(action: Any, *args: Any) -> Any:
    try:
        return action(*args)
    except BrokerUnavailable as error:
        sys.exit(f"ochaq: {error}")
