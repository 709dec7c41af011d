"""Blobs, files, versions, archive manifests; outbox, inbox and idempotency keys."""

from __future__ import annotations

from alembic import op

from ochaq_shared.outbox import SCHEMA_SQL

revision = "0001"
down_revision = None

TABLES = """
-- One row per stored content. A content has at most one live row: the unique index, not a check before, decides which
-- of many equal uploads writes the object. Generations come from a sequence, so that an object's key is never used again
-- once its deletion began, even when its row is long forgotten: a late delete can then hit nobody's new object.
CREATE SEQUENCE blob_generation;
CREATE TABLE blob (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sha256      text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  gen         bigint      NOT NULL DEFAULT nextval('blob_generation'),
  size        bigint      NOT NULL CHECK (size >= 0),
  crc32       bigint      NOT NULL CHECK (crc32 BETWEEN 0 AND 4294967295),
  state       text        NOT NULL CHECK (state IN ('writing', 'stored', 'deleting', 'corrupt')),
  claim       uuid,
  lease_until timestamptz,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  stored_at   timestamptz,
  UNIQUE (sha256, gen),
  CHECK (state <> 'writing' OR lease_until IS NOT NULL)
);
CREATE UNIQUE INDEX blob_live ON blob (sha256) WHERE state IN ('writing', 'stored');
CREATE INDEX blob_unsettled ON blob (lease_until) WHERE state IN ('writing', 'deleting');

-- One row per name that a person sees. Folders are no rows: a folder exists while a file lies in it.
CREATE TABLE file (
  id              uuid        PRIMARY KEY,
  owner           uuid        NOT NULL,
  folder          text        NOT NULL,
  name            text        NOT NULL,
  blob_id         bigint      NOT NULL REFERENCES blob,
  content_version int         NOT NULL DEFAULT 1,
  declared_type   text        NOT NULL,
  media_type      text        NOT NULL,
  kind            text        NOT NULL CHECK (kind IN ('image', 'video', 'audio', 'text', 'pdf', 'other')),
  status          text        NOT NULL CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
  failure         text,
  metadata        jsonb       NOT NULL DEFAULT '{}',
  duplicate_of    uuid        REFERENCES file ON DELETE SET NULL,
  version         int         NOT NULL DEFAULT 1,
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  modified_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  status_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (owner, folder, name)
);
CREATE INDEX file_blob ON file (blob_id, created_at, id);
CREATE INDEX file_owner_page ON file (owner, id);
CREATE INDEX file_folder_page ON file (owner, folder, id);
CREATE INDEX file_all_folders ON file (folder text_pattern_ops, id);
CREATE INDEX file_duplicate_of ON file (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX file_unprocessed ON file (status_at) WHERE status IN ('pending', 'processing');

-- Every content an entry ever had, the newest included.
CREATE TABLE file_version (
  file_id       uuid        NOT NULL REFERENCES file ON DELETE CASCADE,
  number        int         NOT NULL,
  blob_id       bigint      NOT NULL REFERENCES blob,
  declared_type text        NOT NULL,
  uploaded_by   uuid        NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (file_id, number)
);
CREATE INDEX file_version_blob ON file_version (blob_id);

-- What an archive download was made of, so that a later range gets the same bytes. Pins its blobs until it expires.
CREATE TABLE archive_manifest (
  id         text        NOT NULL,
  folder     text        NOT NULL,
  scope      text        NOT NULL,
  entries    bytea       NOT NULL,
  modified   double precision NOT NULL,
  blob_ids   bigint[]    NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (id, folder, scope)
);
CREATE INDEX archive_manifest_expires ON archive_manifest (expires_at);
CREATE INDEX archive_manifest_blobs ON archive_manifest USING gin (blob_ids);
"""


def upgrade() -> None:
    # The driver's own cursor: SQLAlchemy would look for parameters in the text and refuse several statements at once.
    cursor = op.get_bind().connection.cursor()
    cursor.execute(TABLES)
    cursor.execute(SCHEMA_SQL)


def downgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    cursor.execute("DROP TABLE archive_manifest, file_version, file, blob, outbox, inbox, idempotency")
    cursor.execute("DROP SEQUENCE blob_generation")
