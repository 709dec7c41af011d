"""Which ending each exception of a rule means."""

from __future__ import annotations

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from ochaq_shared.http import Unavailable, UpstreamProblem
from ochaq_worker.outcomes import Cancelled, JobFailed, Poisoned, Transient, Waiting, of_exception
from ochaq_worker.web import Busy, LeaseLost


@pytest.mark.parametrize(
    ("error", "retry", "code", "after"),
    [
        (JobFailed("a.b", "no"), "permanent", "a.b", None),
        (Transient("a.b", "later"), "transient", "a.b", None),
        (Transient("a.b", "later", 7.5), "transient", "a.b", 7.5),
        (Poisoned("a.b", "look"), "poison", "a.b", None),
        (Busy("busy", 600.0), "transient", "jobs.upstream_busy", 600.0),
        (UpstreamProblem(429, {}), "transient", "jobs.upstream_busy", None),
        (UpstreamProblem(503, {}), "transient", "jobs.upstream_busy", None),
        (UpstreamProblem(422, {"code": "request.invalid", "detail": "d"}), "permanent", "request.invalid", None),
        (MemoryError(), "permanent", "jobs.memory", None),
        (SoftTimeLimitExceeded(), "permanent", "jobs.time_limit", None),
        (KeyError("a bug"), "poison", "jobs.crashed", None),
        (SystemExit(1), "poison", "jobs.crashed", None),
    ],
)
def test_a_failure_says_what_trying_again_would_bring(error, retry, code, after):
    outcome = of_exception(error)
    assert outcome.status == "failed" and outcome.error is not None
    assert (outcome.error["retry"], outcome.error["code"], outcome.error.get("after_seconds")) == (retry, code, after)


def test_a_stop_and_a_wait_are_no_failures():
    assert of_exception(Cancelled("x")).status == "cancelled"
    waiting = of_exception(Waiting({"made": 3}))
    assert (waiting.status, waiting.checkpoint, waiting.error) == ("waiting", {"made": 3}, None)


@pytest.mark.parametrize("error", [LeaseLost("x"), Unavailable("x")])
def test_where_nobody_is_left_to_report_to_it_is_raised_again(error):
    with pytest.raises(type(error)):
        of_exception(error)
