"""What operators want to know of things that live elsewhere, and what they did by hand."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ochaq_web.core.models import new_id


class IndexState(models.Model):
    """The last rebuild of a search index, as `search.index.rebuilt` told it."""

    index = models.CharField(_("index"), max_length=64, primary_key=True)
    documents = models.BigIntegerField(_("documents"))
    seconds = models.FloatField(_("seconds"))
    job_id = models.UUIDField(_("job"), null=True, blank=True)
    rebuilt_at = models.DateTimeField(_("rebuilt"))

    class Meta:
        verbose_name = _("search index")
        verbose_name_plural = _("search indexes")
        ordering = ("index",)

    def __str__(self) -> str:
        return self.index


class ActionStatus(models.TextChoices):
    REQUESTED = "requested", _("requested")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class OpsAction(models.Model):
    """Something an operator did by hand: who, when, what, to which targets, why, and what came of it.

    Asked for on a page, it is performed by `consume`; done with the command `ochaq`, it is only remembered.
    `settled` holds the targets that it has reached so far.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(_("at"), db_default=Now())
    actor = models.CharField(_("actor"), max_length=254)
    via = models.CharField(_("by"), max_length=8)
    action = models.CharField(_("action"), max_length=64)
    targets = models.JSONField(_("targets"), default=list)
    reason = models.TextField(_("reason"))
    status = models.CharField(_("status"), max_length=16, choices=ActionStatus, default=ActionStatus.REQUESTED)
    outcome = models.TextField(_("outcome"), blank=True, default="", db_default="")
    settled = models.JSONField(_("reached"), default=list)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    trace = models.CharField(_("request id"), max_length=64, blank=True, default="", db_default="")

    class Meta:
        db_table = "ops_action"
        verbose_name = _("operator’s action")
        verbose_name_plural = _("operators’ actions")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(name="ops_action_status_known", condition=models.Q(status__in=ActionStatus.values)),
        )
        indexes = (
            models.Index(fields=("id",), name="ops_action_waiting", condition=models.Q(status="requested", via="page")),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.id}"


class BrokerLook(models.Model):
    """What `consume` saw when it last looked at RabbitMQ: one row, written anew every few seconds."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    at = models.DateTimeField(_("at"))
    publishing = models.CharField(_("publishing"), max_length=16)  # ok, blocked or away
    dead = models.PositiveIntegerField(_("dead letters"), default=0)
    oldest_dead_at = models.DateTimeField(_("oldest since"), null=True, blank=True)

    class Meta:
        db_table = "ops_broker_look"
        verbose_name = _("look at the broker")
        verbose_name_plural = _("looks at the broker")

    def __str__(self) -> str:
        return self.publishing
