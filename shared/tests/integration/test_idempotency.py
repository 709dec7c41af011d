"""Idempotency keys on a real database."""

from __future__ import annotations

import pytest
from ochaq_shared.idempotency import Scope, begin, body_hash, finish
from ochaq_shared.problems import Problem
from outbox_rig import Rig

SCOPE = Scope("u1", "POST", "/api/v1/jobs/")
BODY = body_hash(b"{}")


def store(rig: Rig, key: str) -> None:
    with rig.connect() as connection:
        assert begin(connection, SCOPE, key, BODY) is None
        finish(connection, SCOPE, key, BODY, status=202, headers={"Location": "/x"}, body=b"answer")


def test_the_first_answer_is_replayed(rig: Rig) -> None:
    store(rig, "k")
    with rig.connect() as connection:
        replay = begin(connection, SCOPE, "k", BODY)
    assert replay is not None
    assert (replay.status, replay.headers, replay.body) == (202, {"Location": "/x"}, b"answer")


def test_another_body_is_a_mismatch_and_another_actor_is_another_key(rig: Rig) -> None:
    store(rig, "k")
    with rig.connect() as connection, pytest.raises(Problem) as caught:
        begin(connection, SCOPE, "k", body_hash(b"other"))
    assert caught.value.code == "idempotency.mismatch"
    with rig.connect() as connection:
        assert begin(connection, Scope("u2", "POST", SCOPE.route), "k", body_hash(b"other")) is None


def test_a_running_request_answers_in_progress(rig: Rig) -> None:
    with rig.connect() as first, rig.connect() as second:
        assert begin(first, SCOPE, "k", BODY) is None
        with pytest.raises(Problem) as caught:
            begin(second, SCOPE, "k", BODY)
    assert (caught.value.status, caught.value.code) == (409, "idempotency.in_progress")


def test_a_rolled_back_effect_leaves_no_key(rig: Rig) -> None:
    with rig.connect() as connection:
        begin(connection, SCOPE, "k", BODY)
        finish(connection, SCOPE, "k", BODY, status=201, headers={}, body=b"")
        connection.rollback()
    with rig.connect() as connection:
        assert begin(connection, SCOPE, "k", BODY) is None


def test_a_key_is_forgotten_after_a_day(rig: Rig) -> None:
    store(rig, "k")
    with rig.connect() as connection:
        connection.execute("UPDATE idempotency SET created_at = now() - interval '25 hours'")
        assert begin(connection, SCOPE, "k", body_hash(b"other")) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
def test_an_unusable_key_is_invalid(rig: Rig, key: str) -> None:
    with rig.connect() as connection, pytest.raises(Problem) as caught:
        begin(connection, SCOPE, key, BODY)
    assert caught.value.status == 422
