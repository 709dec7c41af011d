"""The job as PostgreSQL keeps it. Only `services` and `reaper` write these tables."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ochaq_web.core.models import new_id


class Status(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


LIVE = (Status.QUEUED, Status.RUNNING)
OVER = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


class Job(models.Model):
    """One piece of heavy work.

    `fence` grows with every claim; each write of a worker names the fence it was given, so a worker that slept past
    its lease can no longer change anything. `version` grows with every event told about the job.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(_("kind"), max_length=64)
    queue = models.CharField(_("queue"), max_length=64)
    exclusive = models.CharField(_("exclusive group"), max_length=64, blank=True, default="", db_default="")
    params = models.JSONField(_("parameters"), default=dict)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="jobs",
        db_index=False,  # job_owner_newest serves it
    )
    # NULL, since that is what UNIQUE ignores.
    dedupe_key = models.CharField(_("dedupe key"), max_length=200, null=True, blank=True, unique=True)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.QUEUED)
    version = models.PositiveIntegerField(default=0, db_default=0)
    attempt = models.PositiveIntegerField(_("attempt"), default=0, db_default=0)
    max_attempts = models.PositiveIntegerField(_("attempts allowed"), default=5, db_default=5)
    lost_leases = models.PositiveIntegerField(_("leases lost without getting on"), default=0, db_default=0)
    run_after = models.DateTimeField(_("not before"), db_default=Now())
    dispatched_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    dispatches = models.PositiveIntegerField(_("times sent"), default=0, db_default=0)
    fence = models.PositiveBigIntegerField(_("fence"), default=0, db_default=0)
    lease_owner = models.CharField(_("worker"), max_length=128, blank=True, default="", db_default="")
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    cancel_requested_at = models.DateTimeField(_("cancel requested"), null=True, blank=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=64, blank=True, default="", db_default="")
    progress_done = models.PositiveBigIntegerField(_("done"), default=0, db_default=0)
    progress_total = models.PositiveBigIntegerField(_("total"), default=0, db_default=0)
    progress_told_at = models.DateTimeField(null=True, blank=True, editable=False)
    checkpoint = models.JSONField(_("checkpoint"), null=True, blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)
    error = models.JSONField(_("error"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    trace = models.CharField(_("request id"), max_length=64, blank=True, default="", db_default="")

    class Meta:
        db_table = "job"
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(name="job_status_known", condition=models.Q(status__in=Status.values)),
            # A job that is over holds no lease, and a running one always does: half a transition cannot be stored.
            models.CheckConstraint(
                name="job_lease_while_running",
                condition=models.Q(status=Status.RUNNING, lease_until__isnull=False)
                | (~models.Q(status=Status.RUNNING) & models.Q(lease_until__isnull=True)),
            ),
        )
        indexes = (
            models.Index(fields=("owner", "-id"), name="job_owner_newest"),
            models.Index(fields=("kind", "-id"), name="job_kind_newest"),
            models.Index(
                fields=("status", "run_after"), name="job_live", condition=models.Q(status__in=("queued", "running"))
            ),
            models.Index(
                fields=("exclusive", "id"),
                name="job_exclusive_live",
                condition=models.Q(status__in=("queued", "running")) & ~models.Q(exclusive=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_over(self) -> bool:
        return self.status in OVER

    @property
    def percent(self) -> int:
        """Whole percent for the fallback page; 0 while the total is not known."""
        return min(100, self.progress_done * 100 // self.progress_total) if self.progress_total else 0


class JobEvent(models.Model):
    """The timeline of a job: one row for each change of its state, numbered by the job's version."""

    job = models.ForeignKey(Job, verbose_name=_("job"), on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField(_("number"))
    at = models.DateTimeField(_("at"), db_default=Now())
    kind = models.CharField(_("event"), max_length=32)
    actor = models.CharField(_("actor"), max_length=128, blank=True, default="")
    data = models.JSONField(_("data"), default=dict)

    class Meta:
        db_table = "job_event"
        verbose_name = _("job event")
        verbose_name_plural = _("job events")
        ordering = ("job", "seq")
        constraints = (models.UniqueConstraint(fields=("job", "seq"), name="job_event_once"),)

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"
