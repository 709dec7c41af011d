"""Students as PostgreSQL keeps them, and what the bulk doors remember about their own work."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Collate, Lower, Now
from django.utils.translation import gettext_lazy as _

AGE_LEAST, AGE_MOST = 1, 120


def folded(field: str) -> Collate:
    """A text without case, ordered by its bytes.

    One index on it serves equality, prefixes (`LIKE 'gül%'`) and keyset order alike. Each index costs a bulk insert
    about a seventh of its time, so there is none that a sort could replace (age). Folding follows the database's
    own character classes.
    """
    return Collate(Lower(field), "C")


class Student(models.Model):
    """One student. `demo` rows belong to the jobs that make and remove them; no job touches any other row."""

    first_name = models.CharField(_("first name"), max_length=30)
    last_name = models.CharField(_("last name"), max_length=30)
    email = models.EmailField(_("e-mail"), max_length=254)
    age = models.PositiveSmallIntegerField(
        _("age"), validators=[MinValueValidator(AGE_LEAST), MaxValueValidator(AGE_MOST)]
    )
    demo = models.BooleanField(_("demo"), default=False, db_default=False, editable=False)
    version = models.PositiveIntegerField(_("version"), default=1, db_default=1, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated"), db_default=Now(), editable=False)

    class Meta:
        db_table = "student"
        verbose_name = _("student")
        verbose_name_plural = _("students")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                folded("email"),
                name="student_email_once",
                violation_error_message=_("Another student has this e-mail address."),
            ),
            models.CheckConstraint(name="student_age_sane", condition=models.Q(age__gte=AGE_LEAST, age__lte=AGE_MOST)),
        )
        indexes = (
            models.Index(folded("first_name"), "id", name="student_first_name_folded"),
            models.Index(folded("last_name"), "id", name="student_last_name_folded"),
        )

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"


class StudentChunk(models.Model):
    """The first answer to one chunk of one job, so that the same chunk sent again changes nothing."""

    job_id = models.UUIDField()
    chunk = models.PositiveIntegerField()
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    count = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "student_chunk"
        constraints = (models.UniqueConstraint(fields=("job_id", "chunk"), name="student_chunk_once"),)

    def __str__(self) -> str:
        return f"{self.job_id} {self.chunk}"


class StudentPurge(models.Model):
    """How far one job's purge has come: fixed upper id, rows removed until now, and whether it is over."""

    job_id = models.UUIDField(primary_key=True)
    up_to_id = models.BigIntegerField()
    removed = models.PositiveBigIntegerField(default=0)
    done = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "student_purge"

    def __str__(self) -> str:
        return f"{self.job_id} up to {self.up_to_id}"
