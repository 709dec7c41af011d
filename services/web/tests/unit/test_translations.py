"""No language is offered half-translated."""

import pytest
from ochaq_web import translations


@pytest.mark.parametrize("domain", translations.DOMAINS)
@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_every_marked_string_has_words(language, domain):
    assert translations.missing(language, domain) == []


def test_templates_python_and_scripts_are_all_looked_through():
    pages, scripts = translations.collect("django"), translations.collect("djangojs")
    assert "What shall we cook?" in pages  # a template
    assert "waiting" in pages  # a template tag
    assert ("{n} new · show", "{n} new · show") in scripts


@pytest.mark.parametrize("domain", translations.DOMAINS)
@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_translations_keep_the_placeholders_of_their_originals(language, domain):
    path = translations.LOCALE / language / "LC_MESSAGES" / f"{domain}.po"
    for message in translations._read(path, language, domain):
        if not message.id:
            continue
        originals = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
        wanted = set(_placeholders(originals[-1]))
        assert all(set(_placeholders(string)) == wanted for string in strings), message.id


def _placeholders(text):
    import re

    return re.findall(r"%\(\w+\)[sd]|%d|\{\w+\}", text)
