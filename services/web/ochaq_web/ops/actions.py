"""What operators do by hand: written down first, performed by `consume`, and what came of it written down too.

No page touches the broker for writing: a request that fails half-way could neither tell what it did nor go on. The row
is the intention; the ticker carries it out as often as it takes, since doing it again to a letter that is gone already
does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import parse_qs, urlencode

import structlog
from django.db import connection, transaction
from django.utils import timezone
from ochaq_shared import outbox
from ochaq_shared.bus import dead_letters
from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.dead_letters import DeadLetter, LetterRefused, Selection
from ochaq_shared.events.ops import ActionTaken
from ochaq_shared.problems import FieldError, Problem
from ochaq_shared.telemetry import bind_request, current_request_id

from ochaq_web.config.environment import environment
from ochaq_web.ops.models import ActionStatus, OpsAction

log = structlog.get_logger(__name__)

REASON_LENGTH = 500
MOST_TARGETS = 1000
# A letter that was asked for may be in the hands of somebody who looks: it is back within moments.
SEARCH_SECONDS = 5
PATIENCE_SECONDS = 600

PERFORM: dict[str, Callable[[str, Selection], list[DeadLetter]]] = {
    "dlq.replay": dead_letters.replay,
    "dlq.drop": dead_letters.drop,
}
WORDS = {"dlq.replay": "sent back", "dlq.drop": "dropped"}


def everything(*, queue: str = "", kind: str = "") -> str:
    """The target that means every letter that the filters leave at the time it is performed."""
    filters = {name: value for name, value in (("queue", queue), ("type", kind)) if value}
    return f"*?{urlencode(filters)}" if filters else "*"


def action_request(*, action: str, actor: str, targets: Sequence[str], reason: str) -> OpsAction:
    """Write down what somebody wants done; `consume` does it. 422 without a reason or a target."""
    problems = []
    if action not in PERFORM:
        problems.append(FieldError("/action", "unknown", "There is no such action."))
    if not reason.strip() or len(reason) > REASON_LENGTH:
        problems.append(FieldError("/reason", "invalid", f"Say why, in at most {REASON_LENGTH} characters."))
    if not 1 <= len(targets) <= MOST_TARGETS:
        problems.append(FieldError("/targets", "invalid", f"Choose at least one and at most {MOST_TARGETS}."))
    if problems:
        raise Problem("request.invalid", errors=problems)
    with transaction.atomic():
        row = OpsAction.objects.create(
            actor=actor,
            via="page",
            action=action,
            targets=list(targets),
            reason=reason.strip(),
            trace=current_request_id(),
        )
        _tell(row)
    return row


def action_heard(fact: ActionTaken, *, time: str, trace: str) -> None:
    """Remember what somebody did with the command `ochaq`. Events come in the order of their versions."""
    if fact.via == "page":
        return  # told by ourselves, about a row that is here
    moment = datetime.fromisoformat(time)
    over = fact.status != "requested"
    values = {
        "actor": fact.actor[:254],
        "via": fact.via,
        "action": fact.action[:64],
        "targets": fact.targets[:MOST_TARGETS],
        "reason": fact.reason,
        "status": fact.status,
        "outcome": fact.outcome,
        "finished_at": moment if over else None,
    }
    first = {**values, "at": moment, "trace": trace}
    OpsAction.objects.update_or_create(id=fact.id, defaults=values, create_defaults=first)


def actions_perform() -> None:
    """Carry out what pages asked for, the oldest first. For the ticker: one process at a time."""
    for row in OpsAction.objects.filter(status=ActionStatus.REQUESTED, via="page").order_by("id"):
        with bind_request(row.trace):
            _perform(row)


def _perform(row: OpsAction) -> None:
    waited = (timezone.now() - row.at).total_seconds()
    try:
        reached = PERFORM[row.action](environment().amqp_url, _selection(row))
    except LetterRefused as error:
        _finish(row, ActionStatus.FAILED, str(error))
    except BrokerUnavailable as error:
        if waited > PATIENCE_SECONDS:
            _finish(row, ActionStatus.FAILED, str(error))
        else:
            log.warning("ops.action_waits", action=row.action, error=str(error))
    else:
        row.settled = [*row.settled, *(letter.key for letter in reached)][:MOST_TARGETS]
        log.info("ops.action_reached", action=row.action, letters=[letter.key for letter in reached])
        missing = [] if _means_all(row) else [key for key in row.targets if key not in row.settled]
        if missing and waited < SEARCH_SECONDS:
            row.save(update_fields=["settled"])
            return
        gone = f", {len(missing)} no longer there" if missing else ""
        _finish(row, ActionStatus.DONE, f"{len(row.settled)} {WORDS[row.action]}{gone}")


def _selection(row: OpsAction) -> Selection:
    if not _means_all(row):
        return Selection(keys=frozenset(row.targets) - frozenset(row.settled))
    filters = parse_qs(row.targets[0].partition("?")[2])
    return Selection(queue=filters.get("queue", [""])[0], type=filters.get("type", [""])[0])


def _means_all(row: OpsAction) -> bool:
    return bool(row.targets) and row.targets[0].partition("?")[0] == "*"


def _finish(row: OpsAction, status: ActionStatus, outcome: str) -> None:
    with transaction.atomic():
        row.status, row.outcome, row.finished_at = status, outcome, timezone.now()
        row.save(update_fields=["status", "outcome", "settled", "finished_at"])
        _tell(row)


def _tell(row: OpsAction) -> None:
    fact = ActionTaken(
        id=str(row.id),
        action=row.action,
        actor=row.actor,
        via="page",
        reason=row.reason,
        targets=row.targets,
        status=row.status,
        outcome=row.outcome,
    )
    version = 1 if row.status == ActionStatus.REQUESTED else 2
    outbox.emit(connection, fact, subject=str(row.id), version=version)
