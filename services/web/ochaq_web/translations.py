"""The catalogues of the pages' languages: `python -m ochaq_web.translations update|compile|check`.

`update` collects every marked string (templates and Python into `django.po`, scripts into `djangojs.po`) and keeps what
is translated; `compile` writes the `.mo` files that Django reads; `check` names what a language still lacks. Babel does
the work, so no gettext tools have to be installed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from babel.messages.extract import extract

PACKAGE = Path(__file__).parent
LOCALE = PACKAGE / "locale"
LANGUAGES = ("tr",)
DOMAINS = ("django", "djangojs")
PYTHON_WORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
SCRIPT_WORDS: dict[str, Any] = {"t": None, "tn": (1, 2)}


def collect(domain: str) -> Catalog:
    """Every string of one domain that is marked for translation, with the files it stands in."""
    catalogue = Catalog(domain=domain, project="Ochaq", charset="utf-8")
    for path, messages in _sources(domain):
        for text, context in messages:
            catalogue.add(text, context=context, locations=[(str(path.relative_to(PACKAGE)), 0)])
    return catalogue


def _sources(domain: str) -> Iterator[tuple[Path, Iterator[tuple[Any, str | None]]]]:
    if domain == "djangojs":
        for path in sorted((PACKAGE / "static" / "js").rglob("*.js")):
            yield path, _found("javascript", path.read_text(encoding="utf-8"), SCRIPT_WORDS)
        return
    for path in sorted(PACKAGE.rglob("*.py")):
        if "migrations" not in path.parts:
            yield path, _found("python", path.read_text(encoding="utf-8"), PYTHON_WORDS)
    for path in sorted((PACKAGE / "templates").rglob("*")):
        if path.is_file():
            yield path, _found("python", _as_python(path), PYTHON_WORDS)


def _as_python(path: Path) -> str:
    from django.utils.translation.template import templatize

    python = str(templatize(path.read_text(encoding="utf-8"), origin=str(path)))
    # The template's own indentation means nothing, but Python's tokenizer would stumble over it.
    return "\n".join(line.strip() for line in python.splitlines())


def _found(method: str, source: str, words: dict[str, Any]) -> Iterator[tuple[Any, str | None]]:
    for _line, text, _comments, context in extract(method, io.BytesIO(source.encode()), keywords=words):
        yield text, context


def update() -> None:
    """Bring every language's `.po` up to what the sources say; new strings come in empty."""
    for language, domain, path in _catalogues():
        path.parent.mkdir(parents=True, exist_ok=True)
        old = _read(path, language, domain)
        old.update(collect(domain), no_fuzzy_matching=True)
        old.obsolete.clear()
        old.header_comment = f"# Ochaq in {language!r}; strings are collected by `make messages`."
        with path.open("wb") as file:
            pofile.write_po(file, old, width=120, omit_header=False, no_location=False, include_lineno=False)


def compile_all() -> None:
    """Write the `.mo` beside each `.po` that is newer than its own."""
    for language, domain, path in _catalogues():
        compiled = path.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime_ns >= path.stat().st_mtime_ns:
            continue
        with compiled.open("wb") as file:
            mofile.write_mo(file, _read(path, language, domain))


def missing(language: str, domain: str) -> list[str]:
    """The marked strings that a language has no words for."""
    have = _read(LOCALE / language / "LC_MESSAGES" / f"{domain}.po", language, domain)
    return [str(message.id) for message in collect(domain) if message.id and not _translated(have, message)]


def _translated(have: Catalog, message: Any) -> bool:
    found = have.get(message.id, message.context)
    if found is None or found.fuzzy:
        return False
    return all(found.string) if isinstance(found.string, tuple | list) else bool(found.string)


def _catalogues() -> Iterator[tuple[str, str, Path]]:
    for language in LANGUAGES:
        for domain in DOMAINS:
            yield language, domain, LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


def _read(path: Path, language: str, domain: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language, domain=domain, project="Ochaq", charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return pofile.read_po(file, locale=language, domain=domain)


def check() -> None:
    """Exit 1 and name every missing string."""
    lacking = [
        f"{language} {domain}: {text}"
        for language, domain, _path in _catalogues()
        for text in missing(language, domain)
    ]
    if lacking:
        sys.exit("\n".join(lacking))


COMMANDS = {"update": update, "compile": compile_all, "check": check}

if __name__ == "__main__":
    word = sys.argv[1] if len(sys.argv) == 2 else ""
    if word not in COMMANDS:
        sys.exit("usage: python -m ochaq_web.translations update|compile|check")
    COMMANDS[word]()
