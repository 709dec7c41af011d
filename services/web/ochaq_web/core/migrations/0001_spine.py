"""Outbox, inbox and idempotency: the tables every service with a database has, as `ochaq_shared` declares them."""

from django.db import migrations
from ochaq_shared.outbox import SCHEMA_SQL

REVERSE = "DROP TABLE outbox; DROP TABLE inbox; DROP TABLE projection_version; DROP TABLE idempotency;"


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.RunSQL(SCHEMA_SQL, REVERSE)]
