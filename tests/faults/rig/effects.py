"""Events and their handling: every one sent, every one handled once, those of one thing in their order."""

from __future__ import annotations

from typing import Any, Literal, LiteralString

from rig.databases import Databases
from rig.verdict import Verdict

Service = Literal["web", "files"]

_UNSENT = "SELECT type, subject, version, last_error FROM outbox WHERE published_at IS NULL AND created_at >= %s"
_TWICE = """
SELECT type, subject, version, count(*) FROM outbox
WHERE exchange = 'ochaq.events' AND created_at >= %s GROUP BY type, subject, version HAVING count(*) > 1
"""
# Ids of one subject follow the order of commits, so versions must grow with them.
_UNORDERED = """
SELECT type, subject, version FROM (
  SELECT type, subject, version, lag(version) OVER (PARTITION BY subject ORDER BY id) AS earlier FROM outbox
  WHERE exchange = 'ochaq.events' AND created_at >= %s) AS o WHERE version <= earlier
"""
_UNHANDLED: dict[Service, LiteralString] = {
    "web": """
        SELECT o.type, o.subject, i.error FROM outbox o
        LEFT JOIN inbox i ON i.event_id = o.event_id AND i.consumer = 'web'
        WHERE (o.type LIKE 'ochaq.cookbook.recipe.%%' OR o.type LIKE 'ochaq.accounts.user.%%')
          AND o.created_at >= %s AND i.done_at IS NULL""",
    "files": """
        SELECT o.type, o.subject, i.error FROM outbox o LEFT JOIN inbox i ON i.event_id = o.event_id
        WHERE o.type LIKE 'ochaq.files.file.uploaded.%%' AND o.created_at >= %s AND i.done_at IS NULL""",
}
# Handled in a later transaction than a younger event of the same thing.
_OVERTAKEN: dict[Service, LiteralString] = {
    "web": """
        SELECT type, subject, version FROM (
          SELECT o.type, o.subject, o.version, i.done_at,
                 max(i.done_at) OVER (PARTITION BY o.subject ORDER BY o.id ROWS UNBOUNDED PRECEDING) AS latest
          FROM outbox o JOIN inbox i ON i.event_id = o.event_id AND i.consumer = 'web'
          WHERE o.created_at >= %s) AS h WHERE done_at < latest""",
}


def outboxes(databases: Databases, since: Any) -> Verdict:
    verdict = Verdict()
    for service, ask in (("web", databases.web), ("files", databases.files)):
        verdict.lost += [f"never sent by {service}: {row}" for row in ask(_UNSENT, (since,))]
        verdict.dup += [f"told twice by {service}: {row}" for row in ask(_TWICE, (since,))]
        verdict.reordered += [f"told out of order by {service}: {row}" for row in ask(_UNORDERED, (since,))]
    return verdict


def inboxes(databases: Databases, since: Any, *, ordered: bool) -> Verdict:
    verdict = Verdict()
    verdict.lost += [f"web never handled {row}" for row in databases.web(_UNHANDLED["web"], (since,))]
    verdict.lost += [f"files never handled {row}" for row in databases.files(_UNHANDLED["files"], (since,))]
    if ordered:
        overtaken = databases.web(_OVERTAKEN["web"], (since,))
        verdict.reordered += [f"web handled {row} after a younger one" for row in overtaken]
    return verdict
