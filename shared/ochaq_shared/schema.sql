-- Outbox: messages of this service on their way to RabbitMQ. Daily partitions are made and dropped by the relay;
-- the default partition keeps an insert from ever failing for want of one.
CREATE TABLE outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY,
  event_id     uuid        NOT NULL,
  type         text        NOT NULL,
  source       text        NOT NULL,
  subject      text        NOT NULL,
  version      int         NOT NULL,
  shard        smallint    NOT NULL,
  lane         smallint    NOT NULL,
  exchange     text        NOT NULL,
  routing_key  text        NOT NULL,
  headers      jsonb       NOT NULL,
  body         jsonb       NOT NULL,
  txid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  published_at timestamptz,
  attempts     smallint    NOT NULL DEFAULT 0,
  last_error   text,
  next_at      timestamptz,
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX outbox_pending ON outbox (shard, lane, id) WHERE published_at IS NULL;
CREATE INDEX outbox_subject_pending ON outbox (subject, id) WHERE published_at IS NULL;
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;

-- Inbox: what each consumer has already handled. `done_at` is set in the transaction of the effect; `attempts` counts
-- logical tries of a message that keeps failing.
CREATE TABLE inbox (
  consumer    text        NOT NULL,
  source      text        NOT NULL,
  event_id    uuid        NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  done_at     timestamptz,
  attempts    smallint    NOT NULL DEFAULT 1,
  error       text,
  PRIMARY KEY (consumer, source, event_id)
);
CREATE INDEX inbox_received ON inbox (received_at);

-- The newest version of each subject that a consumer's order-dependent handlers have taken effect with (bus/versions).
CREATE TABLE projection_version (
  consumer text NOT NULL,
  subject  text NOT NULL,
  version  int  NOT NULL,
  PRIMARY KEY (consumer, subject)
);

-- Idempotency keys (draft-ietf-httpapi-idempotency-key-header): the first answer, kept for 24 hours.
CREATE TABLE idempotency (
  actor      text        NOT NULL,
  method     text        NOT NULL,
  route      text        NOT NULL,
  key        text        NOT NULL,
  body_hash  bytea       NOT NULL,
  status     smallint,
  headers    jsonb,
  body       bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (actor, method, route, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);
