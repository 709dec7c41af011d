"""`ochaq trace <request id>`: one story from click to socket, out of the log files of one machine."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ochaq_shared.cli.output import show


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("trace", help="the joined log lines of one request id")
    parser.add_argument("request_id")
    parser.set_defaults(run=_trace)


def _trace(options: argparse.Namespace) -> int:
    directory = Path(os.environ.get("OCHAQ_LOCAL", ".local")) / "log"
    lines = sorted(_matching(directory, options.request_id), key=lambda line: str(line.get("ts", "")))
    show([_row(line) for line in lines] if not options.json else lines, as_json=options.json)
    return 0 if lines else 1


def _matching(directory: Path, request_id: str) -> Iterator[dict[str, Any]]:
    for path in sorted(directory.glob("**/*.log*")):
        with path.open(errors="replace") as file:
            for text in file:
                line = _read(text) if request_id in text else {}
                # Relays and consumers write one line per batch, which belongs to several stories.
                if request_id == line.get("request_id") or request_id in line.get("request_ids", ()):
                    yield line


def _read(text: str) -> dict[str, Any]:
    """A log line; nothing where it is none of ours, or torn, as the last one before a full disk is."""
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return line if isinstance(line, dict) else {}


def _row(line: dict[str, Any]) -> dict[str, Any]:
    known = {"ts", "service", "process", "level", "event", "request_id", "request_ids"}
    rest = " ".join(f"{key}={value}" for key, value in line.items() if key not in known)
    return {
        "time": line.get("ts", ""),
        "where": f"{line.get('service', 'gateway')}-{line.get('process', '')}".rstrip("-"),
        "event": line.get("event", ""),
        "what": rest[:160],
    }
