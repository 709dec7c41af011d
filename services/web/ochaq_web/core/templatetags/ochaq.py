"""What the pages' templates say in their own words: icons, figures, times, labels and the data scripts start from."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.middleware.csrf import get_token
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.utils.translation.trans_real import DjangoTranslation

register = template.Library()

STATUS_LABELS = {
    "queued": _("waiting"),
    "running": _("running"),
    "succeeded": _("done"),
    "failed": _("failed"),
    "cancelled": _("cancelled"),
    "pending": _("waiting"),
    "processing": _("being read"),
    "completed": _("ready"),
}
KIND_LABELS = {
    "students.generate": _("Make demo students"),
    "students.purge": _("Remove demo students"),
    "search.rebuild": _("Rebuild the search index"),
    "lab.race": _("Race the naive way against ours"),
    "lab.naive": _("Lap: row by row"),
    "lab.ours": _("Lap: in bulk"),
    "maintenance.sweep": _("Forget what is too old"),
}
FILE_KIND_LABELS = {
    "image": _("picture"),
    "video": _("video"),
    "audio": _("sound"),
    "text": _("text"),
    "pdf": _("PDF"),
    "other": _("other"),
}
ROLE_LABELS = {
    "manager": _("manager"),
    "instructor": _("instructor"),
    "student": _("student"),
    "customer": _("customer"),
    "operator": _("operator"),
}
# A problem's own title is the API's word for it; people read these.
PROBLEM_HEADINGS = {
    400: _("We could not read that"),
    401: _("Please sign in first"),
    403: _("This is not for your account"),
    404: _("There is nothing at this address"),
    405: _("That cannot be done here"),
    409: _("Somebody else was faster"),
    413: _("That is too large"),
    422: _("Something there is not right yet"),
    429: _("That was too much at once"),
    500: _("Something broke on our side"),
    502: _("A part of the house does not answer"),
    503: _("A part of the house does not answer"),
    504: _("A part of the house does not answer"),
}
FILE_KIND_ICONS = {"image", "video", "audio", "text", "pdf"}


def _part(value: Any, name: str) -> Any:
    """A field of a job, which is a dict where an API answered and a model instance where a query did."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """One symbol of the sprite; decoration for the eye unless it gets a label."""
    address = f"{static('img/icons.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, address)
    return format_html('<svg class="icon" aria-hidden="true" focusable="false"><use href="{}"/></svg>', address)


@cache
def script_messages(language: str) -> str:
    """The scripts' strings in one language as JSON; the source language needs none."""
    found: dict[str, str | list[str]] = {}
    if language.split("-")[0] != "en":
        # Django's own JavaScriptCatalog view reads the same private attribute; there is no public one.
        catalogue: Any = DjangoTranslation(
            language, domain="djangojs", localedirs=[str(path) for path in settings.LOCALE_PATHS]
        )
        for key, text in catalogue._catalog.items():
            if key == "":
                continue
            if isinstance(key, tuple):
                forms = found.setdefault(key[0], [])
                assert isinstance(forms, list)
                forms.append(text)
            else:
                found[key] = text
    return json.dumps(found, ensure_ascii=False)


# The three characters that could end a script element early, as django.utils.html.json_script escapes them.
_JSON_ESCAPES = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026"}


@register.simple_tag(takes_context=True)
def client_data(context: template.Context) -> SafeString:
    """What the scripts start from: who is here, in which language, with which token. Data only, nothing that runs."""
    me = context.get("me") or {}
    language = get_language() or settings.LANGUAGE_CODE
    facts = {
        "user": str(_part(me, "id") or ""),
        "staff": bool(_part(me, "is_staffish")),
        "language": language,
        "icons": static("img/icons.svg"),
        "messages": json.loads(script_messages(language)),
    }
    text = json.dumps(facts, ensure_ascii=False).translate(_JSON_ESCAPES)
    data = format_html('<script id="client" type="application/json">{}</script>', mark_safe(text))  # noqa: S308 escaped above
    request = context.get("request")
    if request is None or not facts["user"]:
        # A token sets a cookie, and a page with a visitor's own cookie could not be shared by the gateway's cache.
        return data
    return format_html('<meta name="csrf-token" content="{}">{}', get_token(request), data)


@register.simple_tag
def idempotency_key() -> str:
    """A fresh key for one showing of a form: pressing its button twice asks for one thing."""
    return str(uuid.uuid4())


def _moment(value: Any) -> datetime | None:
    moment = parse_datetime(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return None
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


@register.filter
def iso(value: Any) -> str:
    """A moment as machines read it, or nothing."""
    moment = _moment(value)
    return moment.isoformat() if moment else ""


@register.simple_tag
def when(value: Any) -> SafeString:
    """A moment in the reader's words, exact in `datetime` and `title`; scripts make recent ones relative."""
    moment = _moment(value)
    if moment is None:
        return mark_safe("–")
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-when>{}</time>',
        moment.isoformat(),
        formats.date_format(local, "j F Y H:i:s T"),
        formats.date_format(local, "j M Y H:i"),
    )


@register.filter
def figure(value: Any) -> str:
    """A number with the language's own grouping; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value) if value is not None else ""
    places = 0 if isinstance(value, int) or value >= 100 else 1
    return formats.number_format(value, decimal_pos=places, use_l10n=True, force_grouping=True)


@register.filter
def seconds(value: Any) -> str:
    """A length of time in its two largest units."""
    try:
        total = float(value)
    except (TypeError, ValueError):
        return "–"
    if total < 0.1:
        return gettext("%(n)d ms") % {"n": round(total * 1000)}
    if total < 60:
        return gettext("%(n)s s") % {"n": formats.number_format(total, decimal_pos=1 if total < 10 else 0)}
    minutes, rest = divmod(round(total), 60)
    if minutes < 60:
        return gettext("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    return gettext("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}


@register.filter
def as_json(value: Any) -> str:
    """A value as people read JSON: indented, every letter as itself."""
    return json.dumps(value, ensure_ascii=False, indent=2)


@register.filter
def percent(progress: Any) -> int:
    """How much of a job is done, 0 to 100; 0 while the total is unknown."""
    done, total = _part(progress, "done") or 0, _part(progress, "total") or 0
    return min(100, int(done * 100 / total)) if total else 0


@register.filter
def status_label(status: str) -> str:
    return str(STATUS_LABELS.get(status, status))


@register.filter
def kind_label(kind: str) -> str:
    return str(KIND_LABELS.get(kind, kind))


@register.filter
def file_kind_label(kind: str) -> str:
    return str(FILE_KIND_LABELS.get(kind, kind))


@register.filter
def problem_heading(problem: dict[str, Any]) -> str:
    """What went wrong, in the reader's language; the problem's own title where we have no words for its status."""
    return str(PROBLEM_HEADINGS.get(problem.get("status") or 0, problem.get("title") or _("Something went wrong")))


@register.filter
def role_label(role: str) -> str:
    return str(ROLE_LABELS.get(role, role))


@register.filter
def kind_icon(kind: str) -> str:
    return kind if kind in FILE_KIND_ICONS else "file"


@register.simple_tag
def job_title(job: Any) -> str:
    """What a job does, in one line, with its number where it has one."""
    kind, params = _part(job, "kind"), _part(job, "params") or {}
    count = params.get("count")
    if kind == "students.generate" and isinstance(count, int):
        shown = {"count": figure(count)}
        return ngettext("Make %(count)s demo student", "Make %(count)s demo students", count) % shown
    return kind_label(str(kind))


@register.filter
def tag_names(tags: Any) -> list[str]:
    """Tags as plain names, whether they come as names or as objects with one."""
    return [tag if isinstance(tag, str) else str(_part(tag, "name")) for tag in tags or ()]


@register.filter
def fraction(amount: Any) -> SafeString:
    """`1 1/2` set as people write it: a whole number and a small fraction."""
    whole, _space, rest = str(amount or "").rpartition(" ")
    if "/" not in rest:
        return format_html("{}", amount or "")
    upper, _slash, lower = rest.partition("/")
    return format_html(
        '{}<span class="fraction"><sup>{}</sup>⁄<sub>{}</sub></span>', f"{whole} " if whole else "", upper, lower
    )


@register.filter
def unit(name: str) -> str:
    """A unit as cooks write it: nobody says "4 piece egg"."""
    return "" if name == "piece" else name


# "20 minutes", "1 1/2 hours", "10-12 minutes" (the shorter one counts), in the languages recipes are written in.
_TIME = re.compile(
    r"(?P<n>\d+(?:[.,]\d+)?)(?:\s+(?P<up>\d)/(?P<low>\d))?(?:\s*(?:-|–|to|or)\s*\d+(?:[.,]\d+)?)?[\s-]*"
    r"(?P<word>seconds?|secs?|minutes?|mins?|hours?|hrs?|saniye|dakika|saat|секунд\w*|минут\w*|час\w*)\b",
    re.IGNORECASE,
)
_SECONDS = {"s": 1, "с": 1, "m": 60, "d": 60, "м": 60, "h": 3600, "ч": 3600}
_LONGEST_TIMER = 24 * 3600


def _timer_seconds(found: re.Match[str]) -> int:
    amount = float(found["n"].replace(",", "."))
    if found["up"] and found["low"] != "0":
        amount += int(found["up"]) / int(found["low"])
    word = found["word"].lower()
    return round(amount * (3600 if word == "saat" else _SECONDS[word[0]]))


@register.filter
def times(step: str) -> SafeString:
    """A step with its times marked, so that a script can make timers of them without moving a line."""
    parts, at = [], 0
    for found in _TIME.finditer(step):
        seconds = _timer_seconds(found)
        if not 0 < seconds <= _LONGEST_TIMER:
            continue
        mark = format_html('<span class="timer-start" data-seconds="{}">{}{}</span>', seconds, icon("clock"), found[0])
        parts += [conditional_escape(step[at : found.start()]), mark]
        at = found.end()
    return mark_safe("".join([*parts, conditional_escape(step[at:])]))  # noqa: S308 every part is escaped


@register.filter
def initials(name: Any) -> str:
    """Two letters for the round picture of a person."""
    words = str(name or "?").replace("@", " ").split()
    return "".join(word[0] for word in words[:2]).upper()


@register.filter
def is_sign_in(path: str) -> bool:
    """Whether a path belongs to signing in and out, where "come back here" makes no sense."""
    return path.startswith("/accounts/")


@register.filter
def last_part(path: str) -> str:
    return str(path).rstrip("/").rpartition("/")[2]


@register.simple_tag(takes_context=True)
def sort_header(context: template.Context, field: str, label: str, ordering: str | None, css: str = "") -> SafeString:
    """A column head that sorts: `aria-sort` tells the present order, the link asks for the other one."""
    ordering = ordering or ""
    now = {field: "ascending", f"-{field}": "descending"}.get(ordering, "none")
    query = context["request"].GET.copy()
    query.pop("cursor", None)
    query["ordering"] = f"-{field}" if now == "ascending" else field
    arrow = icon({"ascending": "up", "descending": "down"}[now]) if now != "none" else ""
    return format_html(
        '<th scope="col"{}{}><a class="sort" href="?{}">{}{}</a></th>',
        format_html(' class="{}"', css) if css else "",
        format_html(' aria-sort="{}"', now) if now != "none" else "",
        query.urlencode(),
        label,
        arrow,
    )


@register.filter
def words(text: str) -> list[str]:
    """A list written as words, for the style guide's samples."""
    return text.split()


@register.simple_tag
def icon_names() -> list[str]:
    """Every symbol of the sprite, in its order, for the style guide."""
    sprite = finders.find("img/icons.svg")
    return re.findall(r'<symbol id="([^"]+)"', Path(str(sprite)).read_text(encoding="utf-8")) if sprite else []
