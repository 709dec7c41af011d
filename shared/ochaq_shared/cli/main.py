"""The entry point: one subcommand per module of this package."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from ochaq_shared.cli import bus, dlq, keys, outbox, trace


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="ochaq", description="Operate a running Ochaq.")
    parser.add_argument("--json", action="store_true", help="print for programs instead of people")
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (keys, bus, outbox, dlq, trace):
        module.register(commands)
    # Taken out wherever it stands, so that `ochaq --json bus status` and `ochaq bus status --json` mean the same.
    words = list(sys.argv[1:] if argv is None else argv)
    options = parser.parse_args([word for word in words if word != "--json"])
    options.json = "--json" in words
    with _logging_to_stderr():
        code: int = options.run(options)
    return code


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Warnings of the library are for the person; stdout is what the command prints and nothing else.

    The standard library's loggers write to stderr by themselves.
    """
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)  # for a program that runs a command and goes on


if __name__ == "__main__":
    sys.exit(main())
