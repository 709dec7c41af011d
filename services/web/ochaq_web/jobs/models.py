"""The job as PostgreSQL keeps it, and the schedules that start jobs. Only this app's rules write these tables."""

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

    Outside a job has five states. Inside, a `queued` one may still wait: for `run_after` (a transient failure is tried
    again later), for its turn in an exclusive group, or for its children (`pending_children`).
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
    # NULL where there is none: `job_dedupe_key` leaves those out.
    dedupe_key = models.CharField(_("dedupe key"), max_length=200, null=True, blank=True)  # noqa: DJ001 - job_dedupe_key
    # job_children serves it
    parent = models.ForeignKey(
        "self",
        verbose_name=_("parent"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="children",
        db_index=False,
    )
    # Whether the parent still counts this job among its `pending_children`.
    awaited = models.BooleanField(default=False, db_default=False, editable=False)
    pending_children = models.PositiveIntegerField(_("children not yet over"), default=0, db_default=0)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.QUEUED)
    version = models.PositiveIntegerField(default=0, db_default=0)
    attempt = models.PositiveIntegerField(_("attempt"), default=0, db_default=0)
    max_attempts = models.PositiveIntegerField(_("attempts allowed"), default=5, db_default=5)
    lost_leases = models.PositiveIntegerField(_("leases lost without getting on"), default=0, db_default=0)
    failures = models.PositiveIntegerField(_("transient failures"), default=0, db_default=0)
    failed_checkpoint = models.JSONField(null=True, blank=True, editable=False)
    deadline_seconds = models.PositiveIntegerField(_("seconds one run may last"), null=True, blank=True)
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
    error_key = models.CharField(_("error group"), max_length=32, blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("created"), db_default=Now())
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("last claimed"), null=True, blank=True)
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
            # Not a plain UNIQUE: that would keep an entry for each of the many jobs without a key.
            models.UniqueConstraint(
                fields=("dedupe_key",), name="job_dedupe_key", condition=models.Q(dedupe_key__isnull=False)
            ),
        )
        # Every change of a job's status writes an entry into each index whose condition holds: the ones for rare
        # questions are therefore partial, so that a job that simply succeeds never touches them.
        indexes = (
            models.Index(fields=("owner", "-id"), name="job_owner_newest"),
            models.Index(fields=("owner", "kind", "-id"), name="job_owner_kind"),
            models.Index(fields=("kind", "-id"), name="job_kind_newest"),
            models.Index(fields=("status", "-id"), name="job_status_newest"),
            models.Index(
                fields=("kind", "status", "-id"),
                name="job_kind_unhappy",
                condition=models.Q(status__in=("failed", "cancelled")),
            ),
            models.Index(
                fields=("owner", "status", "-id"),
                name="job_owner_unhappy",
                condition=models.Q(status__in=("failed", "cancelled")),
            ),
            models.Index(fields=("error_key", "-id"), name="job_error_group", condition=~models.Q(error_key="")),
            models.Index(fields=("finished_at",), name="job_finished", condition=models.Q(finished_at__isnull=False)),
            models.Index(fields=("trace",), name="job_trace", condition=~models.Q(trace="")),
            models.Index(fields=("parent", "id"), name="job_children", condition=models.Q(parent__isnull=False)),
            models.Index(fields=("parent",), name="job_awaited", condition=models.Q(awaited=True)),
            models.Index(
                fields=("status", "queue", "dispatched_at"),
                name="job_live",
                condition=models.Q(status__in=("queued", "running")),
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

    # job_event_once serves the foreign key
    job = models.ForeignKey(Job, verbose_name=_("job"), on_delete=models.CASCADE, related_name="events", db_index=False)
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
        indexes = (
            models.Index(fields=("actor", "-id"), name="job_event_claimed_by", condition=models.Q(kind="claimed")),
        )

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class Misfire(models.TextChoices):
    """What becomes of the slots that passed while nobody could fire them."""

    ONCE = "once", _("start one job for all of them")
    SKIP = "skip", _("forget them")


class JobSchedule(models.Model):
    """A job that is started again and again: at the times of a cron expression, or every so many seconds."""

    name = models.SlugField(_("name"), max_length=64, unique=True)
    title = models.CharField(_("title"), max_length=120, blank=True, default="")
    kind = models.CharField(_("kind"), max_length=64)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    cron = models.CharField(_("cron expression"), max_length=100, blank=True, default="")
    every_seconds = models.PositiveIntegerField(_("every … seconds"), null=True, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    enabled = models.BooleanField(_("enabled"), default=True)
    misfire = models.CharField(_("slots missed"), max_length=8, choices=Misfire, default=Misfire.ONCE)
    next_at = models.DateTimeField(_("next slot"), null=True, blank=True)
    last_slot = models.DateTimeField(_("last slot"), null=True, blank=True)
    last_job = models.ForeignKey(
        Job, verbose_name=_("last job"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="job_schedules",
    )
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        db_table = "job_schedule"
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="job_schedule_cron_or_every",
                condition=models.Q(every_seconds__isnull=True) & ~models.Q(cron="")
                | models.Q(every_seconds__gt=0, cron=""),
            ),
        )
        indexes = (models.Index(fields=("next_at",), name="job_schedule_due", condition=models.Q(enabled=True)),)

    def __str__(self) -> str:
        return self.name


class Outcome(models.TextChoices):
    """What a slot came to."""

    STARTED = "started", _("started")
    OVERLAPPED = "overlapped", _("not started: the job before still runs")
    MISSED = "missed", _("forgotten: nobody could start it in time")
    REFUSED = "refused", _("not started: its kind or parameters are no longer valid")


class JobScheduleSlot(models.Model):
    """One firing of a schedule. The row is unique, so that two schedulers together start a slot's job once."""

    schedule = models.ForeignKey(
        JobSchedule, verbose_name=_("schedule"), on_delete=models.CASCADE, related_name="slots", db_index=False
    )
    slot = models.DateTimeField(_("slot"))
    fired_at = models.DateTimeField(_("fired"), db_default=Now())
    # How many slots before this one passed without a firing.
    missed = models.PositiveIntegerField(_("slots missed before"), default=0, db_default=0)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, default=Outcome.STARTED)
    job = models.ForeignKey(
        Job, verbose_name=_("job"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "job_schedule_slot"
        verbose_name = _("slot")
        verbose_name_plural = _("slots")
        ordering = ("-slot",)
        constraints = (models.UniqueConstraint(fields=("schedule", "slot"), name="job_schedule_slot_once"),)

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.slot:%Y-%m-%dT%H:%M:%SZ}"
