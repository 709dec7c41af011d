"""What was sent again is looked at again in stretches of its own, beside what has not been looked at yet."""

from __future__ import annotations

from alembic import op

from ochaq_shared.outbox import RELAY_SQL

revision = "0003"
down_revision = "0002"

REVERSE = """
ALTER TABLE outbox_reconciled
  ADD COLUMN tries smallint NOT NULL DEFAULT 0,
  ADD COLUMN next_at timestamptz NOT NULL DEFAULT clock_timestamp();
DROP TABLE outbox_resent
"""


def upgrade() -> None:
    op.get_bind().connection.cursor().execute(RELAY_SQL)


def downgrade() -> None:
    op.get_bind().connection.cursor().execute(REVERSE)
