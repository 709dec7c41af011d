"""`make demo`: tells the main story through the gateway of a running Ochaq; exit 0 only if all of it held."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import httpx
from campus import Campus, StoryBroken
from live import Watcher
from steps import STEPS, Story


def main() -> int:
    campus = Campus.of(Path(os.environ.get("OCHAQ_LOCAL", ".local")))
    print(f"The story at {campus.url}")
    began = time.monotonic()
    try:
        with Watcher(campus, "manager") as watcher:
            story = Story(campus, watcher)
            for title, step in STEPS:
                started = time.monotonic()
                said = step(story)
                print(f"  {time.monotonic() - started:6.2f} s  {title}: {said}", flush=True)
    except (StoryBroken, httpx.HTTPError) as broken:
        print(f"  BROKEN   {title if 'title' in locals() else 'before the first step'}: {broken}")
        return 1
    finally:
        campus.close()
    print(f"The whole story held in {time.monotonic() - began:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
