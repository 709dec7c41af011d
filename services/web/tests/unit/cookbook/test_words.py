"""Names in Latin letters: addresses stay as they are for ever, and search finds what people type."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ochaq_web.cookbook.selectors import folded_query
from ochaq_web.cookbook.words import folded, slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Mercimek çorbası (red lentil soup)", "mercimek-corbasi-red-lentil-soup"),
        ("Yağlı güveç İÇLİ köfte şöleni", "yagli-guvec-icli-kofte-soleni"),
        ("Щи да каша — пища наша", "schi-da-kasha-pischa-nasha"),
        ("Ёжики в объятиях", "yozhiki-v-obyatiyakh"),
        ("Toʻy oshi", "toy-oshi"),
        ("To'y oshi", "toy-oshi"),
        ("Ўзбек нони", "ozbek-noni"),
        ("ხინკალი", "khinkali"),
        ("ხინკალი (khinkali)", "khinkali"),
        ("Χωριάτικη", "choriatiki"),
        ("Bœuf à la Straße", "boeuf-a-la-strasse"),
        ("蛋炒饭", "recipe"),
        ("  --- ", "recipe"),
    ],
)
def test_names_become_plain_addresses(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text(max_size=300))
def test_every_name_has_an_address_that_routes(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug_of(name))
    assert len(slug_of(name)) <= 80


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("corba", "Mercimek çorbası"),
        ("ÇORBA", "Mercimek çorbası"),
        ("borsch", "Борщ"),
        ("борщ", "Борщ"),
        ("İMAM", "imam bayıldı"),
        ("lagmon", "Lagʻmon"),
        ("lag'mon", "Lagʻmon"),
        ("炒饭", "蛋炒饭 (egg fried rice)"),
        ("김치", "배추김치"),
    ],
)
def test_what_people_type_finds_the_name(typed: str, name: str) -> None:
    assert all(word in folded(name) for word in folded_query(typed))
