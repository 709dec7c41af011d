"""What operators are told of a PostgreSQL that refuses, by the words it refuses with."""

import pytest
from ochaq_web.ops.database import State, _finding

CONNECTING = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        (f"{CONNECTING}FATAL:  sorry, too many clients already", State.FULL, "sorry, too many clients already"),
        (
            f"{CONNECTING}FATAL:  remaining connection slots are reserved for non-replication superuser connections",
            State.FULL,
            "remaining connection slots are reserved for non-replication superuser connections",
        ),
        (f'{CONNECTING}FATAL:  too many connections for role "web"', State.FULL, 'too many connections for role "web"'),
        (
            f"{CONNECTING}FATAL:  the database system is starting up",
            State.CHANGING,
            "the database system is starting up",
        ),
        (
            f"{CONNECTING}FATAL:  the database system is shutting down\n",
            State.CHANGING,
            "the database system is shutting down",
        ),
        (f"{CONNECTING}Connection refused\n\tIs the server running on that host?", State.STOPPED, ""),
        ("connection timeout expired", State.SILENT, ""),
        ("PostgreSQL did not answer within 1.0 s; the connection was closed", State.SILENT, ""),
        (f'{CONNECTING}FATAL:  no pg_hba.conf entry for host "x"', State.AWAY, 'no pg_hba.conf entry for host "x"'),
        ("connection is lost", State.AWAY, ""),
    ],
)
def test_the_reason_is_told_from_the_servers_words(said, state, words):
    found = _finding(said)
    assert (found.state, found.words) == (state, words)
    assert not found.ok
    assert found.headline.startswith("PostgreSQL")
    assert found.advice
