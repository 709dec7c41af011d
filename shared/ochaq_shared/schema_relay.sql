-- What the relay needs beside the tables of schema.sql; safe to run again.

-- The relay reads what is pending by lane, then by id. Shards are a filter: a relay that has few of them passes over the
-- rows of others, which is cheaper than eight searches in every daily partition.
CREATE INDEX IF NOT EXISTS outbox_next ON outbox (lane, id) WHERE published_at IS NULL;
-- Messages that could not be published and wait for their next try: few or none.
CREATE INDEX IF NOT EXISTS outbox_parked ON outbox (subject) WHERE published_at IS NULL AND next_at IS NOT NULL;
-- Looking back in time; published rows lie in the order of time, so a summary per block range finds them for next to
-- nothing at every insert.
CREATE INDEX IF NOT EXISTS outbox_published ON outbox USING brin (published_at)
  WITH (pages_per_range = 32, autosummarize = on);
DROP INDEX IF EXISTS outbox_pending;
DROP INDEX IF EXISTS outbox_subject_pending;

-- How far each queue has been looked after: what was published before `checked_until` has been handled or was sent again.
CREATE TABLE IF NOT EXISTS outbox_reconciled (
  queue         text        PRIMARY KEY,
  checked_until timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE outbox_reconciled DROP COLUMN IF EXISTS tries, DROP COLUMN IF EXISTS next_at;

-- Stretches of time in which something was sent to a queue again, `tries` times: at `look_at` they are looked at again.
CREATE TABLE IF NOT EXISTS outbox_resent (
  id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue   text        NOT NULL,
  since   timestamptz NOT NULL,
  until   timestamptz NOT NULL,
  tries   smallint    NOT NULL DEFAULT 1,
  look_at timestamptz NOT NULL
);
