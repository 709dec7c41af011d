"""The house's laws that import-linter has no words for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "services" / "web" / "ochaq_web"
APPS = ("accounts", "cookbook", "students", "jobs", "ops", "library", "eventsdoc", "lab")
SERVICES = ("web", "worker", "realtime", "files", "search")
# What an app offers to its neighbours beside its rules: a place to register at.
OPEN = {"services", "selectors", "maintenance"}
# Setting a variable for a library that looks there is no reading.
READS_THE_ENVIRONMENT = re.compile(
    r"os\.environ\b(?!\.setdefault\(\"DJANGO_SETTINGS_MODULE\"|\[[^]]+\] = )|os\.getenv\("
)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from package.app import services` and `from package.app.services import rule` name the same module.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("app", APPS)
def test_a_django_app_reaches_another_only_through_its_rules(app: str) -> None:
    found = []
    for path in (WEB / app).rglob("*.py"):
        if "migrations" in path.parts:
            continue
        for name in imports(path):
            match = re.match(r"ochaq_web\.(\w+)\.(\w+)", name)
            if match and match[1] in APPS and match[1] != app and match[2] not in OPEN:
                found.append(f"{path.relative_to(WEB)} imports {name}")
    assert found == []


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_settings_read_the_environment(service: str) -> None:
    package = ROOT / "services" / service / f"ochaq_{service}"
    found = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if READS_THE_ENVIRONMENT.search(path.read_text())
        and path.name != "settings.py"
        and not path.is_relative_to(WEB / "config")
    ]
    assert found == []


def test_nothing_asks_if_debug() -> None:
    sources = [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]
    assert [str(path) for path in sources if re.search(r"\bif (settings\.)?DEBUG\b", path.read_text())] == []


def test_only_the_outbox_writes_the_outbox() -> None:
    """No service inserts messages by itself, and nothing but relay and consumers owns a publisher."""
    found = []
    for service in SERVICES:
        for path in (ROOT / "services" / service / f"ochaq_{service}").rglob("*.py"):
            text = path.read_text()
            if re.search(r"INSERT INTO outbox", text):
                found.append(f"{path} writes the outbox")
            door = "/api/" in str(path) or path.stem in {"apis", "pages", "internal", "admin"}
            if door and re.search(r"bus\.publisher|basic_publish", text):
                found.append(f"{path} publishes")
    assert found == []


def test_every_deployable_has_a_readme_a_makefile_and_a_pyproject() -> None:
    for service in SERVICES:
        for name in ("README.md", "Makefile", "pyproject.toml"):
            assert (ROOT / "services" / service / name).is_file(), f"services/{service}/{name}"


def test_no_file_has_grown_past_a_page_or_ten() -> None:
    sources = [*ROOT.glob("services/*/ochaq_*/**/*.py"), *ROOT.glob("shared/ochaq_shared/**/*.py")]
    long = {str(path): n for path in sources if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}, "a file past 400 lines wants to be a package"
