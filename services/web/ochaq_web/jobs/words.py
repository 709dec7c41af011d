"""Jobs in people's words: what the lines of a timeline say, and what to do about an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

EVENTS: Mapping[str, Text] = {
    "queued": _("Asked for"),
    "claimed": _("Taken by a worker"),
    "released": _("Handed back by its worker"),
    "lease_lost": _("Its worker was lost"),
    "failed_transiently": _("An attempt failed, another follows"),
    "waiting": _("Waits for its parts"),
    "children_over": _("All its parts ended"),
    "cancel_requested": _("Asked to stop"),
    "cancelled": _("Cancelled"),
    "succeeded": _("Done"),
    "failed": _("Failed"),
    "retried": _("Asked for again"),
    "redriven": _("Asked for again"),
}
LESS = _("It took more than it may. Try it again with less to do, or at a quieter hour.")
LATER = _(
    "A part of the house did not answer for too long. Try it again in a few minutes: it goes on where it stopped."
)
PERSON = _("Nobody expected this. Tell an operator the request id below; trying again may end the same way.")
OTHER = _("Try it again: it goes on where it stopped. If it fails once more, tell an operator the request id below.")
# By the code of the error, or by the way it failed (`errors.error_kept`).
ADVICE: Mapping[str, Text] = {
    "jobs.worker_lost": _(
        "Worker after worker died of it without getting on: it may need more memory than one has. Tell an operator."
    ),
    "jobs.time_limit": LESS,
    "jobs.memory": LESS,
    "request.invalid": _("Something in what was asked for is not right: start it anew with other values."),
    "exhausted": LATER,
    "poison": PERSON,
}


def advice(error: Mapping[str, Any] | None) -> str:
    """What somebody can do about a failed job."""
    error = error or {}
    return str(ADVICE.get(str(error.get("code")), ADVICE.get(str(error.get("class")), OTHER)))


def event_label(kind: str) -> str:
    return str(EVENTS.get(kind, kind.replace("_", " ").capitalize()))
