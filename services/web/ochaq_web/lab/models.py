"""The table that both sides of a race fill and empty: `student` once more, column for column and index for index.

A race on `student` itself would remove the school's demo students, and its events would keep the search index busy. A
test compares the two tables in the database, so that neither side can be given an easier one.
"""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Collate, Lower, Now

AGE_LEAST, AGE_MOST = 1, 120


def _folded(field: str) -> Collate:
    return Collate(Lower(field), "C")


class LabStudent(models.Model):
    """One row of a race. It is nobody, and gone when the lap is over."""

    first_name = models.CharField(max_length=30)
    last_name = models.CharField(max_length=30)
    email = models.EmailField(max_length=254)
    age = models.PositiveSmallIntegerField(validators=[MinValueValidator(AGE_LEAST), MaxValueValidator(AGE_MOST)])
    demo = models.BooleanField(default=False, db_default=False, editable=False)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "lab_student"
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(_folded("email"), name="lab_student_email_once"),
            models.CheckConstraint(
                name="lab_student_age_sane", condition=models.Q(age__gte=AGE_LEAST, age__lte=AGE_MOST)
            ),
        )
        indexes = (
            models.Index(_folded("first_name"), "id", name="lab_student_first_name_folded"),
            models.Index(_folded("last_name"), "id", name="lab_student_last_name_folded"),
        )

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"
