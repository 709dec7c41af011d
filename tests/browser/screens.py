"""Takes the pictures in docs/screens/ from a running `make up`: `make screens`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from ochaq_browser import Campus, chromium  # noqa: E402

OUT = ROOT / "docs" / "screens"
# What README and docs show: name, who looks, where, how wide, which theme.
PICTURES = [
    ("recipes", None, "/", 1280, "light"),
    ("recipe-phone", None, "/recipes/menemen-eggs-with-tomato-and-pepper/", 360, "dark"),
    ("recipe", None, "/recipes/menemen-eggs-with-tomato-and-pepper/", 1280, "light"),
    ("students", "manager", "/students/", 1280, "light"),
    ("students-test", "manager", "/students/test/", 1280, "dark"),
    ("jobs-phone", "manager", "/result/", 360, "light"),
    ("files", "manager", "/files/", 1280, "light"),
    ("ops", "operator", "/ops/", 1280, "dark"),
    ("ops-jobs", "operator", "/ops/jobs/", 1280, "light"),
    ("ops-schedules", "operator", "/ops/schedules/", 360, "dark"),
]
SCALE = 0.6  # small files: these are pictures in a text, not tests


def main() -> None:
    state = Path(os.environ.get("OCHAQ_LOCAL", ROOT / ".local"))
    demo = json.loads((state / "demo.json").read_text())
    OUT.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        campus = Campus(browser, demo["url"], demo["password"])
        for name, role, path, width, theme in PICTURES:
            scale = SCALE if width > 400 else 1
            tab = campus.tab(role, width, theme, device_scale_factor=scale)
            tab.open(path).screenshot(path=OUT / f"{name}.png")
            tab.close()
            sys.stdout.write(f"docs/screens/{name}.png {(OUT / f'{name}.png').stat().st_size // 1024} KiB\n")


if __name__ == "__main__":
    main()
