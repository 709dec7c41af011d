"""What a chunk of demo students looks like."""

from __future__ import annotations

import json

import pytest
from ochaq_worker.generation import chunk_body, chunk_rows
from ochaq_worker.names import ascii_of, voices

JOB = "01a1fd96-d62a-774b-973a-299f321e0e16"


def people(body: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in body.splitlines()]


def test_a_chunk_made_again_is_the_same_chunk():
    assert chunk_body(JOB, 3, 7_500, 100) == chunk_body(JOB, 3, 7_500, 100)
    assert chunk_body(JOB, 3, 7_500, 100) != chunk_body(JOB, 4, 7_500, 100)


def test_students_fit_the_model():
    made = people(chunk_body(JOB, 0, 0, 5_000))
    assert len(made) == 5_000
    for person in made:
        assert set(person) == {"first_name", "last_name", "email", "age"}
        assert 1 <= len(str(person["first_name"])) <= 30 and 1 <= len(str(person["last_name"])) <= 30
        assert 15 <= int(str(person["age"])) <= 70
        assert str(person["email"]).isascii() and len(str(person["email"]).partition("@")[0]) <= 64
    assert {person["age"] for person in made} == set(range(15, 71))


def test_addresses_are_unique_within_and_among_jobs():
    other = "01a1fd96-d62a-774b-973a-299f321e0e17"
    bodies = [chunk_body(job, chunk, chunk * 2_000, 2_000) for job in (JOB, other) for chunk in range(3)]
    addresses = [person["email"] for body in bodies for person in people(body)]
    assert len(set(addresses)) == len(addresses) == 12_000


def test_names_come_from_fakers_lists_by_their_weights():
    from faker.providers.person.en_US import Provider

    made = [str(person["last_name"]) for person in people(chunk_body(JOB, 0, 0, 20_000))]
    common = max(Provider.last_names, key=Provider.last_names.get)
    rare = min(Provider.last_names, key=Provider.last_names.get)
    assert made.count(common) > 5 * max(1, made.count(rare))


def test_every_voice_has_names_and_several_languages_speak():
    assert len(voices()) == 8
    made = people(chunk_body(JOB, 0, 0, 1_000))
    assert any(not str(person["last_name"]).isascii() for person in made)
    assert any("а" <= str(person["first_name"])[-1].lower() <= "я" for person in made)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Gülşen", "gulsen"),
        ("Işık", "isik"),
        ("İrem", "irem"),
        ("Щукина", "shchukina"),
        ("Sa’diya", "sadiya"),
        ("—", "x"),
    ],
)
def test_names_are_spelt_in_ascii_for_addresses(name, plain):
    assert ascii_of(name) == plain


@pytest.mark.parametrize(("count", "rows"), [(1, 2_500), (10_000, 2_500), (16_000, 4_000), (1_000_000, 5_000)])
def test_big_jobs_are_cut_into_bigger_chunks(count, rows):
    assert chunk_rows(count) == rows
