"""The tables of database `ochaq_files`, as the queries see them; migrations/ holds the DDL and says why it is so."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Float, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData()

_uuid = UUID(as_uuid=False)
_time = DateTime(timezone=True)

blob = Table(
    "blob",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("sha256", Text),
    Column("gen", BigInteger),
    Column("size", BigInteger),
    Column("crc32", BigInteger),
    Column("state", Text),
    Column("claim", _uuid),
    Column("lease_until", _time),
    Column("created_at", _time),
    Column("stored_at", _time),
)

file = Table(
    "file",
    metadata,
    Column("id", _uuid, primary_key=True),
    Column("owner", _uuid),
    Column("folder", Text),
    Column("name", Text),
    Column("blob_id", BigInteger),
    Column("content_version", Integer),
    Column("declared_type", Text),
    Column("media_type", Text),
    Column("kind", Text),
    Column("status", Text),
    Column("failure", Text),
    Column("metadata", JSONB),
    Column("duplicate_of", _uuid),
    Column("version", Integer),
    Column("created_at", _time),
    Column("modified_at", _time),
    Column("status_at", _time),
)

file_version = Table(
    "file_version",
    metadata,
    Column("file_id", _uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("blob_id", BigInteger),
    Column("declared_type", Text),
    Column("uploaded_by", _uuid),
    Column("created_at", _time),
)

archive_manifest = Table(
    "archive_manifest",
    metadata,
    Column("id", Text, primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("entries", LargeBinary),
    Column("modified", Float),
    Column("blob_ids", ARRAY(BigInteger)),
    Column("created_at", _time),
    Column("expires_at", _time),
)
