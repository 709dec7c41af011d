"""JSON that the API refuses, and how."""

import pytest
from ochaq_shared.problems import Problem
from ochaq_web.core.parsing import loads


def refusal(body: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        loads(body)
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"name": ',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'"a\x00b"',
        b"{'a': 1}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_is_malformed(body):
    assert refusal(body).status == 400


@pytest.mark.parametrize("body", [b'{"age": 1e400}', b'{"age": -1e999}', b'{"age": ' + b"9" * 5000 + b"}"])
def test_numbers_out_of_every_range_are_invalid(body):
    assert refusal(body).status == 422


def test_texts_that_postgresql_cannot_hold_are_invalid_and_pointed_at():
    problem = refusal(rb'{"people": [{"name": "a\u0000"}, {"name": "\ud83d"}]}')
    assert problem.status == 422
    assert [error.pointer for error in problem.errors] == ["/people/0/name", "/people/1/name"]


def test_a_whole_surrogate_pair_is_a_character():
    assert loads(rb'{"name": "\ud83c\udf5e"}') == {"name": "🍞"}
