"""`ochaq dlq list|show|replay|drop`: the messages that nobody could handle."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ochaq_shared.bus import dead_letters
from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.dead_letters import DeadLetter, Selection
from ochaq_shared.cli.audit import audited
from ochaq_shared.cli.environment import setting
from ochaq_shared.cli.output import show

AMQP_URL = "OCHAQ_AMQP_URL"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("dlq", help="dead letters")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="one line each, the oldest first")
    listing.add_argument("--grouped", action="store_true", help="how many failed alike, instead of one line each")
    listing.set_defaults(run=_list)
    showing = actions.add_parser("show", help="all that is known of some")
    showing.add_argument("id", nargs="+", help="message ids")
    showing.set_defaults(run=_show)
    for name, text in (("replay", "send them back to the queue they came from"), ("drop", "forget them")):
        action = actions.add_parser(name, help=text)
        action.add_argument("id", nargs="*", help="message ids; all that the filters leave when none is given")
        action.add_argument("--reason", required=True, help="why: it is written down with who did it")
        action.set_defaults(run=_replay if name == "replay" else _drop)
        _add_filters(action)
    _add_filters(listing)
    _add_filters(showing)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--queue", default="", help="only those that failed in this queue")
    parser.add_argument("--type", default="", help="only those of this event type")


def _list(options: argparse.Namespace) -> int:
    letters = _chosen(options, ())
    rows = [asdict(group) for group in dead_letters.groups(letters)] if options.grouped else [*map(_row, letters)]
    show(rows, as_json=options.json)
    return 0


def _show(options: argparse.Namespace) -> int:
    letters = _chosen(options, options.id)
    if options.json:
        print(json.dumps([_whole(letter) for letter in letters], indent=2, default=str))
        return 0
    for letter in letters:
        for name, value in _whole(letter).items():
            print(f"{name + ':':<12} {value if isinstance(value, str) else json.dumps(value, indent=2, default=str)}")
        print()
    return 0


def _replay(options: argparse.Namespace) -> int:
    return _act(options, "dlq.replay", dead_letters.replay, "sent back")


def _drop(options: argparse.Namespace) -> int:
    return _act(options, "dlq.drop", dead_letters.drop, "dropped")


def _act(options: argparse.Namespace, action: str, do: Callable[[str, Selection], list[DeadLetter]], word: str) -> int:
    if not options.reason.strip():
        sys.exit("ochaq: the reason is empty; say why, so that others can understand it later.")
    letters = _chosen(options, options.id)
    keys = sorted({letter.key for letter in letters})
    if not keys:
        show([], as_json=options.json)
        return 0
    url = setting(AMQP_URL)
    with audited(url, action, targets=keys, reason=options.reason.strip()) as told:
        done = _guard(do, url, Selection(keys=frozenset(keys)))
        told.outcome = f"{len(done)} {word}"
    show([*map(_row, done)], as_json=options.json)
    return 0


def _chosen(options: argparse.Namespace, ids: Sequence[str]) -> list[DeadLetter]:
    """The letters that are meant; ends the command when one that was named is not there."""
    selection = Selection(ids=frozenset(ids), queue=options.queue, type=options.type)
    letters: list[DeadLetter] = _guard(dead_letters.peek, setting(AMQP_URL), selection)
    unknown = set(ids) - {letter.id for letter in letters}
    if unknown:
        sys.exit(f"ochaq: there is no such dead letter: {', '.join(sorted(unknown))}")
    return letters


def _row(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "queue": letter.queue,
        "type": letter.type,
        "died_at": _time(letter),
        "attempts": letter.attempts,
        "error": letter.error[:80],
    }


def _whole(letter: DeadLetter) -> dict[str, Any]:
    headers = {name: value for name, value in letter.headers.items() if name != "ochaq-error"}
    more = {"error": letter.error, "size": letter.size, "headers": headers}
    return {**_row(letter), **more, "body": letter.body.decode(errors="replace")}


def _time(letter: DeadLetter) -> str:
    return letter.died_at.isoformat(timespec="seconds").replace("+00:00", "Z") if letter.died_at else ""


def _guard(action: Any, *args: Any) -> Any:
    try:
        return action(*args)
    except BrokerUnavailable as error:
        sys.exit(f"ochaq: {error}")
