"""Every address of this service. Each app brings three lists: pages, api (under /api/v1/) and internal."""

from __future__ import annotations

from itertools import chain

from django.contrib import admin
from django.urls import include, path

from ochaq_web.accounts import urls as accounts
from ochaq_web.cookbook import urls as cookbook
from ochaq_web.core import urls as core
from ochaq_web.eventsdoc import urls as eventsdoc
from ochaq_web.jobs import urls as jobs
from ochaq_web.lab import urls as lab
from ochaq_web.library import urls as library
from ochaq_web.ops import urls as ops
from ochaq_web.students import urls as students

APPS = (core, accounts, cookbook, students, jobs, library, ops, eventsdoc, lab)

urlpatterns = [
    path("api/token/", include(accounts.tokens)),
    path("api/v1/", include(list(chain.from_iterable(app.api for app in APPS)))),
    path("internal/v1/", include(list(chain.from_iterable(app.internal for app in APPS)))),
    path("admin/", admin.site.urls),
    *chain.from_iterable(app.pages for app in APPS),
]

handler400 = "ochaq_web.core.problems.bad_request"
handler403 = "ochaq_web.core.problems.permission_denied"
handler404 = "ochaq_web.core.problems.page_not_found"
handler500 = "ochaq_web.core.problems.server_error"
