"""What the relay needs beside the outbox: the indexes it reads by, and how far it has looked after each queue.

Also the versions that order-dependent consumers keep: a database made today has that table from the first migration.
"""

from __future__ import annotations

from alembic import op

from ochaq_shared.outbox import RELAY_SQL

revision = "0002"
down_revision = "0001"

VERSIONS = """
CREATE TABLE IF NOT EXISTS projection_version (
  consumer text NOT NULL,
  subject  text NOT NULL,
  version  int  NOT NULL,
  PRIMARY KEY (consumer, subject)
)
"""
REVERSE = """
CREATE INDEX outbox_pending ON outbox (shard, lane, id) WHERE published_at IS NULL;
CREATE INDEX outbox_subject_pending ON outbox (subject, id) WHERE published_at IS NULL;
DROP INDEX outbox_next, outbox_parked, outbox_published;
DROP TABLE outbox_reconciled, projection_version
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    cursor.execute(RELAY_SQL)
    cursor.execute(VERSIONS)


def downgrade() -> None:
    op.get_bind().connection.cursor().execute(REVERSE)
