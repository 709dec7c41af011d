"""Doors: `/ops/jobs/`, everybody's jobs, for operators: numbers, a list, and what can be done to it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ochaq_web.core.pagination import Page, paginate
from ochaq_web.core.policy import Act, page
from ochaq_web.core.redirects import see_other
from ochaq_web.jobs import charts, operating, selectors, statistics
from ochaq_web.jobs.finding import jobs_wanted
from ochaq_web.jobs.forms import REASON_LENGTH, OperatorFilterForm, ReasonForm
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.statistics import PERIODS

PER_PAGE = 25
USUAL_PERIOD = "day"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@page(Act.JOBS_OPERATE)
def ops_jobs(request: HttpRequest) -> HttpResponse:
    """The dashboard; a POST does what was chosen to the jobs that were ticked."""
    if request.method == "POST":
        return _act(request)
    form = OperatorFilterForm(request.GET)
    wanted = form.wanted()
    period = PERIODS.get(wanted.period, PERIODS[USUAL_PERIOD])
    found = _found(request, form)
    rates = statistics.throughput(period)
    context = {
        "form": form,
        "narrows": wanted.narrows,
        "wanted": wanted,
        "period": period,
        "periods": [{"period": other, "url": _with_period(request, other.name)} for other in PERIODS.values()],
        "now": statistics.jobs_now(),
        "chart": charts.bars(rates, statistics.ENDS),
        "latencies": statistics.latencies(period),
        "sample": statistics.SAMPLE,
        "errors": statistics.error_groups(period),
        "workers": statistics.workers(),
        "rows": [{**selectors.job_row(job), "row": job} for job in found.rows],
        "next_url": found.next_url,
        "previous_url": found.previous_url,
        "reason_length": REASON_LENGTH,
    }
    return render(request, "ops/jobs.html", context)


@require_POST
@page(Act.JOBS_OPERATE)
def ops_redrive(request: HttpRequest) -> HttpResponse:
    """Run every failed job of one group of errors again."""
    reason = _reason(request)
    if reason:
        chosen = {"error": request.POST.get("error", ""), "period": request.POST.get("period", "")}
        messages.success(request, _again(operating.group_run_again(actor=request.user, reason=reason, **chosen)))
    return see_other(_back(request))


def _found(request: HttpRequest, form: OperatorFilterForm) -> Page[Job]:
    """The page of the list; nobody's jobs where a filter could not be understood."""
    everybody: QuerySet[Job] = selectors.jobs_visible_to(request.user).select_related("owner")
    chosen = Job.objects.none() if form.errors else jobs_wanted(everybody, form.wanted())
    return paginate(request, chosen, ("-id",), limit=PER_PAGE)


def _with_period(request: HttpRequest, name: str) -> str:
    """This page as it is filtered, over another period, from its first rows."""
    query = request.GET.copy()
    query.pop("cursor", None)
    query["period"] = name
    return f"?{query.urlencode()}"


def _act(request: HttpRequest) -> HttpResponse:
    ids = _ticked(request)
    if not ids:
        messages.warning(request, _("Tick the jobs first."))
        return see_other(_back(request))
    reason = _reason(request)
    if not reason:
        return see_other(_back(request))
    if request.POST.get("act") == "cancel":
        done = operating.jobs_stop(actor=request.user, job_ids=ids, reason=reason)
        text = ngettext("%(n)d job is being stopped.", "%(n)d jobs are being stopped.", done) % {"n": done}
    else:
        done = operating.jobs_run_again(actor=request.user, job_ids=ids, reason=reason)
        text = _again(done)
    left = len(ids) - done
    if left:
        text += " " + ngettext("%(n)d was not in a state for that.", "%(n)d were not in a state for that.", left) % {
            "n": left
        }
    messages.success(request, text)
    return see_other(_back(request))


def _again(done: int) -> str:
    return ngettext("%(n)d job runs again.", "%(n)d jobs run again.", done) % {"n": done}


def _reason(request: HttpRequest) -> str:
    """Why; where it is missing, a note says that nothing was done."""
    form = ReasonForm(request.POST)
    if form.is_valid():
        return str(form.cleaned_data["reason"])
    messages.error(request, _("Nothing was done: say why, in a few words. It stands in the timeline for good."))
    return ""


def _ticked(request: HttpRequest) -> list[uuid.UUID]:
    found = []
    for text in request.POST.getlist("job")[: operating.AT_ONCE]:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if wanted and safe else reverse("ops-jobs")
