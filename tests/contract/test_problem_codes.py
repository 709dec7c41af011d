"""The catalogue, the page and the source name the same problem codes."""

from __future__ import annotations

import re
from pathlib import Path

import problems_page
from ochaq_shared.problems import GENERIC, catalogue

ROOT = Path(__file__).resolve().parents[2]
RAISED = re.compile(r"Problem\(\s*\"([a-z_.]+)\"")


def sources() -> list[Path]:
    folders = [ROOT / "shared" / "ochaq_shared", *ROOT.glob("services/*/ochaq_*")]
    return [path for folder in folders for path in folder.rglob("*.py")]


def test_the_page_lists_the_catalogue() -> None:
    assert problems_page.PAGE.read_text() == problems_page.render(), "run `make problems`"


def test_every_code_in_the_source_is_defined() -> None:
    problems_page.read_definitions()
    known = {kind.code for kind in catalogue()}
    raised = {code for path in sources() for code in RAISED.findall(path.read_text())}
    assert raised and raised <= known


def test_every_defined_code_is_used() -> None:
    problems_page.read_definitions()
    text = "\n".join(path.read_text() for path in sources() if path.name != "problems.py")
    named = {kind.code for kind in catalogue()} - {code for code, _, _ in GENERIC}
    definitions = "\n".join(path.read_text() for path in sources() if path.name == "problems.py")
    constants = dict(re.findall(r"([A-Z_]+) = define\(\s*\"([a-z_.]+)\"", definitions))
    used = {code for constant, code in constants.items() if re.search(rf"\b{constant}\b", text)}
    used |= {code for code in named if f'"{code}"' in text}
    assert named <= used, f"defined but never raised: {sorted(named - used)}"
