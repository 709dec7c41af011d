"""What the relay needs beside the outbox: the indexes it reads by, and how far it has looked after each queue."""

from django.db import migrations
from ochaq_shared.outbox import RELAY_SQL

REVERSE = """
CREATE INDEX outbox_pending ON outbox (shard, lane, id) WHERE published_at IS NULL;
CREATE INDEX outbox_subject_pending ON outbox (subject, id) WHERE published_at IS NULL;
DROP INDEX outbox_next, outbox_parked, outbox_published;
DROP TABLE outbox_reconciled;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_spine")]
    operations = [migrations.RunSQL(RELAY_SQL, REVERSE)]
