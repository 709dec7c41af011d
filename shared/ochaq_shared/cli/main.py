"""The entry point: one subcommand per module of this package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

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
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
