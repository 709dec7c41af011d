"""Door: the students' table and the page that starts the heavy job. Both work without JavaScript."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from ochaq_web.core.pagination import paginate
from ochaq_web.core.policy import Act, allows, page, require
from ochaq_web.core.redirects import see_other
from ochaq_web.jobs import selectors as jobs
from ochaq_web.jobs.selectors import job_row
from ochaq_web.jobs.services import job_enqueue
from ochaq_web.students import selectors
from ochaq_web.students.apis import wanted_from
from ochaq_web.students.facts import student_fields

PER_PAGE = 50
COUNTS = (100, 1_000, 10_000, 100_000)
GENERATE = "students.generate"
LATEST = 5


@require_GET
@page(Act.STUDENTS_READ)
def student_table(request: HttpRequest) -> HttpResponse:
    """The table: searched by prefix, filtered by age, sorted, a page at a time."""
    wanted = wanted_from(request)
    found = paginate(request, selectors.student_list(wanted), selectors.student_ordering(wanted), limit=PER_PAGE)
    context = {
        "students": [student_fields(student) for student in found.rows],
        "q": wanted.q,
        "ordering": request.GET.get("ordering", ""),
        "age_min": wanted.age_min,
        "age_max": wanted.age_max,
        "total": selectors.student_total(wanted),
        "next_url": found.next_url,
        "previous_url": found.previous_url,
    }
    return render(request, "students/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Act.STUDENTS_READ)
def student_test(request: HttpRequest) -> HttpResponse:
    """Start the heavy job, and watch the latest one."""
    if request.method == "POST":
        return _start(request)
    mine = jobs.jobs_of(request.user).filter(kind=GENERATE)
    rows = [job_row(job) for job in mine[:LATEST]]
    context = {
        "job": rows[0] if rows else None,
        "jobs": rows,
        "counts": COUNTS,
        "can_start": allows(request.user, Act.STUDENTS_GENERATE),
    }
    return render(request, "students/test.html", context)


def _start(request: HttpRequest) -> HttpResponse:
    require(request.user, Act.STUDENTS_GENERATE)
    text = request.POST.get("count", "")
    params = {
        "count": int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text,
        "replace": request.POST.get("replace", "") in {"true", "on", "1"},
    }
    # The form carries a key of its own showing, so pressing the button twice starts one job.
    key = request.POST.get("idempotency_key", "")[:64]
    job_enqueue(
        kind=GENERATE,
        params=params,
        owner=request.user,
        dedupe_key=f"form:{request.user.pk}:{key}" if key else None,
    )
    return see_other(reverse("students-test"))
