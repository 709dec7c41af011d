"""`make bench`: every bench against a platform of its own, one after the other.

    python tests/bench/run.py [--size small|full]

The small size shows that the benches run; figures for docs/benchmarks.md come from the full one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local"))

from ochaq_platform import started

FOLDER = Path(__file__).resolve().parent


def commands(size: str, url: str, state: Path) -> list[tuple[str, list[str]]]:
    """What to run: a title and the words of the command."""
    full = size == "full"
    recipes = ["--url", url, "--seconds", "5" if full else "1", "--env", str(state / "ochaq.env")]
    job = ["--rows", "10000" if full else "1000", "--rounds", "5" if full else "1", "--url", url]
    return [
        ("The heavy job against the loop row by row", ["students_job.py", *job]),
        ("Recipes through the gateway", ["recipes.py", *recipes]),
        ("Search", ["search.py", "--size", size]),
        ("Files", ["files.py", "--size", size]),
        ("The bus", ["bus.py", "--size", size]),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Run every bench.")
    parser.add_argument("--size", choices=("small", "full"), default="full")
    options = parser.parse_args()
    failed = 0
    began = time.monotonic()
    with started() as platform:
        print(f"The platform was ready after {time.monotonic() - began:.1f} s at {platform.url}", flush=True)
        for title, words in commands(options.size, platform.url, platform.state):
            print(f"\n# {title}", flush=True)
            environment = {"OCHAQ_LOCAL": str(platform.state), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"}
            done = subprocess.run([sys.executable, str(FOLDER / words[0]), *words[1:]], env=environment, check=False)
            failed += done.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
