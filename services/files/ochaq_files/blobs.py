"""Contents: which upload writes the object of a content, and which only points at it.

A content is claimed by inserting its row; the unique index lets one of any number of equal uploads win. The winner
writes the object and settles the row in the transaction of its file entry; the others wait for that, or take over when
the winner's lease runs out. A claim that nobody settles is removed by the sweep, object first.
"""

from __future__ import annotations

from dataclasses import dataclass

from ochaq_shared.ids import uuid7
from sqlalchemy import Connection, text

from ochaq_files.storage.objects import object_key
from ochaq_files.storage.spool import Fingerprint


@dataclass(frozen=True)
class Claim:
    """How a content stands. `token` is set for the one upload that is to write the object now."""

    blob_id: int
    key: str
    state: str
    token: str | None = None


class LostRace(Exception):
    """What an upload was about to use was removed in the same moment; it starts again from its claim."""


def blob_claim(connection: Connection, content: Fingerprint, lease_seconds: float) -> Claim | None:
    """Claim a content: stored already, ours to write, or being written by another (`token` None, state 'writing').

    None when the row changed hands in between: ask again.
    """
    return _insert(connection, content, lease_seconds) or _join(connection, content, lease_seconds)


def _insert(connection: Connection, content: Fingerprint, lease_seconds: float) -> Claim | None:
    token = uuid7()
    row = connection.execute(
        text(
            "INSERT INTO blob (sha256, size, crc32, state, claim, lease_until)"
            " VALUES (:sha256, :size, :crc32, 'writing', :token, clock_timestamp() + make_interval(secs => :lease))"
            " ON CONFLICT DO NOTHING RETURNING id, gen"
        ),
        {
            "sha256": content.sha256,
            "size": content.size,
            "crc32": content.crc32,
            "token": token,
            "lease": lease_seconds,
        },
    ).one_or_none()
    return Claim(row.id, object_key(content.sha256, row.gen), "writing", token) if row else None


def _join(connection: Connection, content: Fingerprint, lease_seconds: float) -> Claim | None:
    row = connection.execute(
        text(
            "SELECT id, gen, state, claim, lease_until < clock_timestamp() AS expired FROM blob"
            " WHERE sha256 = :sha256 AND state IN ('writing', 'stored')"
        ),
        {"sha256": content.sha256},
    ).one_or_none()
    if row is None:
        return None
    key = object_key(content.sha256, row.gen)
    if row.state == "writing" and row.expired:
        token = _take_over(connection, row.id, row.claim, lease_seconds)
        return Claim(row.id, key, "writing", token) if token else None
    return Claim(row.id, key, row.state)


def _take_over(connection: Connection, blob_id: int, old: str, lease_seconds: float) -> str | None:
    token = uuid7()
    taken = connection.execute(
        text(
            "UPDATE blob SET claim = :token, lease_until = clock_timestamp() + make_interval(secs => :lease)"
            " WHERE id = :id AND state = 'writing' AND claim = :old RETURNING id"
        ),
        {"id": blob_id, "token": token, "old": old, "lease": lease_seconds},
    ).one_or_none()
    return token if taken else None


def blob_extend(connection: Connection, claim: Claim, lease_seconds: float) -> None:
    """Keep a claim while its object is still being written."""
    connection.execute(
        text(
            "UPDATE blob SET lease_until = clock_timestamp() + make_interval(secs => :lease)"
            " WHERE id = :id AND claim = :token AND state = 'writing'"
        ),
        {"id": claim.blob_id, "token": claim.token, "lease": lease_seconds},
    )


def blob_abandon(connection: Connection, claim: Claim) -> None:
    """Give a claim up at once, so that the next upload or the sweep need not wait for its lease."""
    connection.execute(
        text("UPDATE blob SET lease_until = clock_timestamp() WHERE id = :id AND claim = :token AND state = 'writing'"),
        {"id": claim.blob_id, "token": claim.token},
    )


def blob_settle(connection: Connection, claim: Claim) -> None:
    """Lock a content's row until the transaction ends and mark it stored; raises `LostRace`.

    The lock puts the entries of one content in order, so that exactly one of many equal uploads is the first.
    """
    state = connection.execute(
        text("SELECT state FROM blob WHERE id = :id FOR NO KEY UPDATE"), {"id": claim.blob_id}
    ).scalar_one_or_none()
    if state == "stored":
        return
    if state != "writing" or claim.token is None:
        raise LostRace(claim.key)
    connection.execute(
        text("UPDATE blob SET state = 'stored', stored_at = clock_timestamp(), claim = NULL WHERE id = :id"),
        {"id": claim.blob_id},
    )
