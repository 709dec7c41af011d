"""Where a form sends its browser when the work is done."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect


def see_other(url: str) -> HttpResponse:
    """303: the browser follows with GET whatever the method was, so a reload posts nothing again."""
    response = HttpResponseRedirect(url)
    response.status_code = 303
    return response
