"""Forms of the job pages: filters of the address bar, reasons, and schedules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _
from ochaq_shared.problems import FieldError, Problem

from ochaq_web.core.templatetags.ochaq import kind_label, status_label
from ochaq_web.jobs.finding import Wanted
from ochaq_web.jobs.kinds import KINDS
from ochaq_web.jobs.models import Misfire, Status
from ochaq_web.jobs.statistics import PERIODS

ANY = ("", _("Any"))
REASON_LENGTH = 300


class Choices(forms.ChoiceField):
    """A choice of the address bar; a word that is not among the choices chooses nothing."""

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value))
        return text if self.valid_value(text) else ""


class JobFilterForm(forms.Form):
    """One's own jobs: by status, kind and the time they were asked for."""

    status = Choices(label=_("Status"), required=False)
    kind = Choices(label=_("Kind"), required=False)
    period = Choices(label=_("Started"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose("status", [ANY, *((status, status_label(status)) for status in Status.values)])
        self._choose("kind", [ANY, *((kind, kind_label(kind)) for kind in sorted(KINDS))])
        self._choose("period", [("", _("Any time")), *((period.name, period.label) for period in PERIODS.values())])

    def wanted(self) -> Wanted:
        """The filters that make sense; a mistake in one of them stands in `errors` and narrows nothing."""
        self.is_valid()
        values = {name: self.cleaned_data.get(name) for name in self.fields}
        return Wanted(**{name: value for name, value in values.items() if value})

    def _choose(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices


class OperatorFilterForm(JobFilterForm):
    """Everybody's jobs: also by owner, worker, error, and by the id of a job or of a request."""

    owner = forms.CharField(label=_("Owner"), required=False, max_length=254)
    worker = forms.CharField(label=_("Worker"), required=False, max_length=128)
    error = forms.CharField(required=False, max_length=128, widget=forms.HiddenInput)
    text = forms.CharField(label=_("Job or request id"), required=False, max_length=64)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].widget.attrs["placeholder"] = _("E-mail or handle")
        self.fields["owner"].widget.attrs["autocomplete"] = "off"

    def clean_owner(self) -> Any:
        login = self.cleaned_data["owner"]
        if not login:
            return None
        found = get_user_model().objects.called(login).first()
        if found is None:
            raise forms.ValidationError(_("Nobody is called this."), code="unknown")
        return found


class ReasonForm(forms.Form):
    """Why somebody interferes with somebody else's work; it stands in the timeline for good."""

    reason = forms.CharField(label=_("Reason"), max_length=REASON_LENGTH, strip=True)
    reason.widget.attrs["autocomplete"] = "off"


class ParamsField(forms.JSONField):
    """The parameters of a job as people write them: JSON, `{}` where there are none."""

    widget = forms.Textarea

    def __init__(self) -> None:
        super().__init__(label=_("Parameters"), required=False, initial=dict)
        self.widget.attrs.update({"rows": 4, "spellcheck": "false", "autocapitalize": "none", "class": "mono"})

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if found is None or found == "":
            return {}
        if not isinstance(found, dict):
            raise forms.ValidationError(_('Write an object, such as {"count": 100}.'), code="type")
        return found


class ScheduleForm(forms.Form):
    """A schedule as people write it. What its rules say is `schedules`' own business and shown beside the fields."""

    title = forms.CharField(label=_("Title"), max_length=120, required=False)
    name = forms.SlugField(
        label=_("Name"), max_length=64, help_text=_("Small letters, digits and hyphens. It stays for good.")
    )
    kind = forms.ChoiceField(label=_("What is started"))
    params = ParamsField()
    cron = forms.CharField(
        label=_("At the times of a cron expression"),
        max_length=100,
        required=False,
        help_text=_(
            "Minute, hour, day of the month, month, day of the week:"
            " <code>30 6 * * 1-5</code> is 6:30 from Monday to Friday."
        ),
    )
    every_seconds = forms.IntegerField(
        label=_("Or every so many seconds"), min_value=1, max_value=366 * 86_400, required=False
    )
    time_zone = forms.CharField(
        label=_("Time zone"), max_length=64, initial="UTC", help_text=_("Such as Asia/Tashkent or Europe/Istanbul.")
    )
    misfire = forms.ChoiceField(label=_("Times missed while nothing could start"), choices=Misfire)
    enabled = forms.BooleanField(label=_("Enabled"), required=False, initial=True)

    def __init__(self, *args: Any, exists: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if exists:
            del self.fields["name"]
        for name in ("cron", "time_zone", "name"):
            if name in self.fields:
                self.fields[name].widget.attrs.update({"autocomplete": "off", "spellcheck": "false", "class": "mono"})
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = [(name, kind_label(name)) for name, row in sorted(KINDS.items()) if not row.child_only]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name == "new":
            raise forms.ValidationError(_("Choose another name: this one is an address of its own."), code="reserved")
        return name

    def refused(self, problem: Problem) -> None:
        """Put what the rules said beside the fields it is about; what is about none of them stands on top."""
        for error in problem.errors or [FieldError("", problem.code, problem.detail or problem.code)]:
            first = error.pointer.strip("/").split("/")[0]
            self.add_error(first if first in self.fields else None, error.detail)
