"""What was sent again is looked at again in stretches of its own, beside what has not been looked at yet."""

from django.db import migrations
from ochaq_shared.outbox import RELAY_SQL

REVERSE = """
ALTER TABLE outbox_reconciled
  ADD COLUMN tries smallint NOT NULL DEFAULT 0,
  ADD COLUMN next_at timestamptz NOT NULL DEFAULT clock_timestamp();
DROP TABLE outbox_resent;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0002_relay")]
    operations = [migrations.RunSQL(RELAY_SQL, REVERSE)]
