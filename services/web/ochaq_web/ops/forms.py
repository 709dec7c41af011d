"""Forms of the operators' pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ochaq_web.ops import actions


class LettersForm(forms.Form):
    """What to do with which dead letters, and why. `keys` are those ticked; `all` means all that the filters leave."""

    act = forms.ChoiceField(choices=[("dlq.replay", _("Send back")), ("dlq.drop", _("Drop"))])
    everything = forms.BooleanField(required=False)
    queue = forms.CharField(required=False, max_length=200)
    type = forms.CharField(required=False, max_length=200)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=actions.REASON_LENGTH,
        error_messages={"required": _("Say why: others will want to understand it.")},
    )

    def __init__(self, *args: Any, keys: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keys = keys or []

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not found.get("everything") and not self.keys:
            raise forms.ValidationError(_("Tick the letters you mean, or all of them."))
        if len(self.keys) > actions.MOST_TARGETS:
            raise forms.ValidationError(_("Too many letters at once."))
        return found

    def targets(self) -> list[str]:
        """The targets of the action; the form must be valid."""
        if self.cleaned_data["everything"]:
            return [actions.everything(queue=self.cleaned_data["queue"], kind=self.cleaned_data["type"])]
        return self.keys
