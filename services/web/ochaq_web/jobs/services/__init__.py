"""What can be done to a job: the app's rules, by who asks.

`starting` makes jobs and their children, `running` is the worker's side, `deciding` the people's. Each change of state
is one conditional statement, told in the same transaction. The states: queued → running → succeeded | failed |
cancelled; a lost lease, a transient failure, a wait for children or a retry lead back to queued. PostgreSQL decides
every race: whoever's statement finds the row in the state it asks for has won, everybody else gets a 409.

Locks are taken from child to parent, never the other way round, and several children at once only without waiting.
"""

from ochaq_web.jobs.services.deciding import job_cancel, job_retry, jobs_redrive
from ochaq_web.jobs.services.ending import children_cancel
from ochaq_web.jobs.services.running import (
    CANCEL_GRACE_SECONDS,
    LEASE_SECONDS,
    job_claim,
    job_finish,
    job_heartbeat,
    job_hold,
    job_release,
    jobs_claim,
    jobs_finish,
)
from ochaq_web.jobs.services.starting import children_start, job_enqueue

__all__ = [
    "CANCEL_GRACE_SECONDS",
    "LEASE_SECONDS",
    "children_cancel",
    "children_start",
    "job_cancel",
    "job_claim",
    "job_enqueue",
    "job_finish",
    "job_heartbeat",
    "job_hold",
    "job_release",
    "job_retry",
    "jobs_claim",
    "jobs_finish",
    "jobs_redrive",
]
