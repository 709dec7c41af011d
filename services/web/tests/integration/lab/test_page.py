"""`/ops/lab/`: starts races, shows their laps, draws what was measured, and keeps earlier ones."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ochaq_web.jobs import services as jobs
from ochaq_web.lab.chart import ROOM_FOR_VALUE, WIDTH, chart_of
from ochaq_web.lab.selectors import rounds_of

ROUNDS = [{"naive_seconds": 1.2, "ours_seconds": 0.004}, {"naive_seconds": 0.9, "ours_seconds": 0.005}]
RESULT = {"rows": 500, "rounds": ROUNDS, "ratio": {"median": 240.0, "min": 180.0, "max": 300.0}}


def started(browser: Any, user: Any, **form: Any) -> Any:
    return browser(user=user).post("/ops/lab/", {"rows": "500", "rounds": "2", **form})


@pytest.fixture
def race(make_user: Any) -> Any:
    """race() → a claimed race and its owner."""
    owner = make_user("manager")

    def make(**params: int) -> tuple[Any, Any]:
        job = jobs.job_enqueue(kind="lab.race", params={"rows": 500, "rounds": 2, **params}, owner=owner)
        return jobs.job_claim(job_id=job.id, worker="h:1"), owner

    return make


@pytest.mark.django_db
def test_the_form_starts_one_race_however_often_it_is_sent(browser: Any, make_user: Any) -> None:
    user = make_user("operator")
    for _ in range(2):
        answer = started(browser, user, idempotency_key="k")
        assert (answer.status_code, answer["Location"]) == (303, "/ops/lab/")
    (shown,) = browser(user=user).get("/ops/lab/").context["races"]
    assert shown["job"]["params"] == {"rows": 500, "rounds": 2} and shown["job"]["status"] == "queued"


@pytest.mark.django_db
@pytest.mark.parametrize("form", [{"rows": "99"}, {"rows": "2001"}, {"rounds": "6"}, {"rounds": "x"}, {"rows": ""}])
def test_a_race_beyond_its_bounds_is_refused(browser: Any, make_user: Any, form: dict[str, str]) -> None:
    user = make_user("manager")
    assert started(browser, user, **form).status_code == 422
    assert browser(user=user).get("/ops/lab/").context["races"] == []


@pytest.mark.django_db
def test_it_is_for_managers_and_operators(browser: Any) -> None:
    assert browser().get("/ops/lab/").status_code == 302
    for role in ("instructor", "student", "customer"):
        assert browser(role).get("/ops/lab/").status_code == 403
        assert browser(role).post("/ops/lab/", {"rows": "500", "rounds": "2"}).status_code == 403


@pytest.mark.django_db
def test_the_laps_of_a_race_under_way_are_shown(browser: Any, race: Any) -> None:
    job, owner = race()
    laps = [
        {"kind": f"lab.{way}", "params": {"rows": 500, "round": number, "race": str(job.id)}}
        for number in (1, 2)
        for way in ("naive", "ours")
    ]
    jobs.children_start(job_id=job.id, fence=job.fence, jobs=laps)
    page = browser(user=owner).get("/ops/lab/")
    found = [(lap["kind"], lap["params"]["round"]) for lap in page.context["laps"]]
    assert found == [("lab.naive", 1), ("lab.ours", 1), ("lab.naive", 2), ("lab.ours", 2)]
    assert page.content.decode().count("data-job-status") == 5


@pytest.mark.django_db
def test_what_was_measured_is_drawn_and_told_in_figures(browser: Any, race: Any) -> None:
    job, owner = race()
    jobs.job_finish(job_id=job.id, fence=job.fence, status="succeeded", result=RESULT)
    page = browser(user=owner).get("/ops/lab/")
    text = page.content.decode()
    assert text.count("<rect") == 4 and 'role="img"' in text and "<title id=" in text
    assert "240 ×" in text and "180 ×" in text and "1.2 s" in text and "4 ms" in text
    assert " style=" not in text and "<script>" not in text
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', text)]
    assert widths[0] == WIDTH - ROOM_FOR_VALUE, "the longest lap fills the chart"
    assert widths[2] == pytest.approx(widths[0] * 0.9 / 1.2, abs=0.1), "and the others are drawn to its scale"


@pytest.mark.django_db
def test_an_earlier_race_can_be_looked_at_by_everybody_of_the_lab(browser: Any, race: Any) -> None:
    first, _ = race(rows=100)
    jobs.job_finish(job_id=first.id, fence=first.fence, status="succeeded", result={**RESULT, "rows": 100})
    second, owner = race(rows=2000)
    assert str(browser(user=owner).get("/ops/lab/").context["race"]["job"]["id"]) == str(second.id)
    seen = browser("manager").get(f"/ops/lab/?race={first.id}")
    assert seen.context["race"]["rows"] == 100 and seen.context["mine"] is False
    assert f"/result/{first.id}/" not in seen.content.decode()
    assert len(seen.context["races"]) == 2
    for nonsense in ("x", "00000000-0000-0000-0000-000000000000"):
        assert browser("manager").get(f"/ops/lab/?race={nonsense}").context["race"]["rows"] == 2000


def test_a_chart_of_nothing_is_none_and_a_bar_is_never_invisible() -> None:
    assert chart_of([]) is None
    chart = chart_of(rounds_of({"rounds": [{"naive_seconds": 100.0, "ours_seconds": 0.0001}]}))
    assert chart is not None
    naive, ours = chart.groups[0].bars
    assert ours.width == 1.0 and naive.width == WIDTH - ROOM_FOR_VALUE
    assert naive.y < ours.y < chart.height and chart.groups[0].ratio == pytest.approx(1e6)
