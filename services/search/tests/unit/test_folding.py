"""One name in all its spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ochaq_search.folding import address_chunks, address_terms, fold, name_terms, name_words

SAME = [
    ("Gülşen", "GULSEN", "gülşen", "gu\u0308ls\u0327en"),
    ("Işıl", "isil", "IŞIL", "ışıl", "İşil"),
    ("İbrahim", "ibrahim", "IBRAHIM", "ıbrahım"),
    ("Çağrı", "cagri", "ÇAĞRI"),
    ("Oʻtkir", "O'tkir", "O‘tkir", "O’tkir", "O`tkir", "Otkir", "Ўткир", "ЎТКИР"),
    ("Gʻulom", "G'ulom", "Ғулом"),
    ("Sanʼat", "Sanat", "Санъат"),
    ("Hasan", "Ҳасан"),
    ("Yulduz", "Юлдуз"),
    ("Shavkat", "Шавкат"),
    ("Qodir", "Қодир"),
    ("Strauß", "STRAUSS", "strauss"),
    ("Søren", "soren"),
    ("Łukasz", "lukasz"),
    ("José", "jose", "JOSE\u0301"),
    ("Ｊｏｓｅ", "jose"),
    ("O'Brien", "OBrien", "o’brien"),
    ("Ўғил", "Oʻgʻil", "o'g'il"),
]


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_spellings_of_one_name_share_an_indexed_word(spellings: tuple[str, ...]) -> None:
    first, *others = (set(name_terms(spelling)) for spelling in spellings)
    assert all(first & other for other in others)


@pytest.mark.parametrize(
    ("cyrillic", "latin"),
    [
        ("Жасур", {"jasur", "zhasur"}),
        ("Алёна", {"alyona", "alena"}),
        ("Алена", {"alena"}),
        ("Ёқуб", {"yoqub", "equb"}),
        ("Хуршид", {"xurshid", "khurshid"}),
        ("Михаил", {"mixail", "mikhail"}),
        ("Йўлдош", {"yoldosh"}),
        ("Андрей", {"andrey"}),
    ],
)
def test_cyrillic_is_indexed_in_the_uzbek_and_in_the_russian_way(cyrillic: str, latin: set[str]) -> None:
    assert set(name_terms(cyrillic)) == latin
    assert set(name_terms(cyrillic.upper())) == latin


def test_names_of_several_words_are_several_words() -> None:
    assert name_terms("Anne-Marie van  der Berg") == ("anne", "marie", "van", "der", "berg")
    assert name_terms("Abdulla oʻgʻli") == ("abdulla", "ogli")
    assert name_terms("snake_case") == ("snake", "case")


def test_text_without_letters_or_digits_has_no_words() -> None:
    assert name_terms("") == name_terms(" -- '' \u0301 !?") == ()


def test_words_know_where_they_stand_in_the_text() -> None:
    text = "  Ümit, O'Brien"
    assert [text[word.start : word.end] for word in name_words(text)] == ["Ümit", "O'Brien"]


def test_an_address_is_its_local_part_and_its_whole() -> None:
    assert address_terms("Ann.Lee7@Example.com") == ("ann.lee7", "ann.lee7@example.com")
    assert address_terms('"odd@local"@example.com') == ('"odd@local"', '"odd@local"@example.com')
    assert address_terms("no-at-sign") == ("no-at-sign", "no-at-sign")


def test_query_chunks_lose_the_punctuation_around_them() -> None:
    assert address_chunks('"(*:* AND [a TO b]) \\ <script>') == ["and", "a", "to", "b", "script"]
    assert address_chunks("<Ann.Lee@Example.com>, x") == ["ann.lee@example.com", "x"]


@given(st.text(max_size=60))
def test_any_text_folds_to_words_that_fold_to_themselves(text: str) -> None:
    fold(text)
    for word in name_words(text):
        assert 0 <= word.start < word.end <= len(text)
        assert all(term and not term.isspace() and " " not in term for term in word.terms)
    for term in name_terms(text):
        assert len(term.split()) == 1


@given(st.text(max_size=60))
def test_the_case_of_a_text_never_matters(text: str) -> None:
    # Turkish İ lowers to two characters and titles differ from both: all of them are the same words here.
    assert set(name_terms(text)) == set(name_terms(text.swapcase().swapcase()))
