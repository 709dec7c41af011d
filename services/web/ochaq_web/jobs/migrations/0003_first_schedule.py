"""Room on the job table's pages, what its planner should know, and the schedule every school begins with."""

from __future__ import annotations

from typing import Any

from django.db import migrations

# A heartbeat changes no indexed column: with room on its page the new row version costs no index entry (HOT).
ROOM = """
ALTER TABLE job SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- Who has an error group has failed; a planner that multiplies both shares would sort a large group for its newest page.
CREATE STATISTICS job_error_means_failed (dependencies) ON error_key, status FROM job;
"""
NO_ROOM = """
DROP STATISTICS job_error_means_failed;
ALTER TABLE job RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
"""


def seed(apps: Any, editor: Any) -> None:
    """The hourly sweep. An operator may change or remove it: a migration runs once and does not bring it back."""
    apps.get_model("jobs", "JobSchedule").objects.get_or_create(
        name="hourly-sweep",
        defaults={"title": "Hourly sweep", "kind": "maintenance.sweep", "cron": "7 * * * *", "misfire": "once"},
    )


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_schedules_children_groups")]
    operations = [
        migrations.RunSQL(ROOM, NO_ROOM),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
