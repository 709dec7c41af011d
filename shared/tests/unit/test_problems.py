"""Problems: one catalogue, one shape."""

import pytest
from ochaq_shared.problems import FieldError, Problem, catalogue, code_for_status, define, kind_of
from ochaq_shared.problems.asgi import from_validation


def test_a_problem_has_every_member_of_the_contract() -> None:
    problem = Problem("request.invalid", "Look below.", errors=[FieldError("/age", "too_small", "at least 1")])
    body = problem.body("abc", "https://school.example")
    assert set(body) == {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}
    assert body["type"] == "https://school.example/problems/request.invalid"
    assert body["status"] == problem.status == 422
    assert body["errors"] == [{"pointer": "/age", "code": "too_small", "detail": "at least 1"}]


def test_retry_after_is_a_header_and_a_member() -> None:
    problem = Problem("unavailable", retry_after=3)
    assert problem.headers["Retry-After"] == "3"
    assert problem.body("abc")["retry_after"] == 3


def test_an_unknown_code_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        Problem("no.such.code")


def test_a_code_means_one_thing() -> None:
    kind = kind_of("not_found")
    assert define(kind.code, kind.status, kind.title) == "not_found"
    with pytest.raises(ValueError, match="defined twice"):
        define("not_found", 410, "Gone")


def test_every_generic_status_has_a_code_in_the_catalogue() -> None:
    codes = {kind.code: kind.status for kind in catalogue()}
    for status in (400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 416, 422, 429, 502, 503, 504):
        assert codes[code_for_status(status)] == status
    assert code_for_status(599) == "internal"


def test_a_body_that_is_no_json_is_malformed_and_wrong_values_are_invalid() -> None:
    assert from_validation([{"type": "json_invalid", "loc": ("body", 3), "msg": "x"}]).status == 400
    invalid = from_validation([{"type": "missing", "loc": ("body", "params", "count"), "msg": "Field required"}])
    assert invalid.status == 422
    assert invalid.errors[0].pointer == "/params/count"
