"""`/ops/events/`: every type is there for operators and managers, and the document beside it is the committed one."""

from __future__ import annotations

import json

import pytest
from django.utils.html import escape
from ochaq_shared.events import schema_files
from ochaq_shared.events.catalogue import catalogue

pytestmark = pytest.mark.django_db


def test_every_type_is_shown_with_all_that_is_known_of_it(browser):
    page = browser("operator").get("/ops/events/")
    text = page.content.decode()
    assert page.status_code == 200
    for row in catalogue():
        for known in (row.type, row.source, row.lane, row.retention):
            assert escape(known) in text, known
        words = row.description.partition("\n\n")[0].split("`")
        assert all(escape(part) in text for part in words), row.description
        for field in row.fields:
            assert f"<code>{field.path}</code>" in text
        for reader in row.consumers:
            assert (reader.queue or reader.service) in text
        assert row.example["id"] in text


def test_the_document_is_the_committed_one(browser):
    answer = browser("manager").get("/ops/events/asyncapi.json")
    assert answer["Content-Type"] == "application/json"
    assert json.loads(answer.content) == json.loads((schema_files.DOCUMENTS / "asyncapi.json").read_text())
    assert "/ops/events/asyncapi.json" in browser("manager").get("/ops/events/").content.decode()


@pytest.mark.parametrize("path", ["/ops/events/", "/ops/events/asyncapi.json"])
def test_it_is_for_operators_and_managers(browser, path):
    assert browser().get(path).status_code == 302
    assert browser("instructor").get(path).status_code == 403
    assert browser("operator").get(path).status_code == 200
    assert browser("operator").post(path).status_code == 405


def test_nothing_on_it_needs_a_script_or_an_inline_style(browser):
    text = browser("operator").get("/ops/events/").content.decode()
    assert " style=" not in text and "onclick" not in text
    assert text.count('<details class="card event-type">') == len(catalogue())
