"""How much memory one pool process may have: a job that wants more fails, and the machine stays as it is."""

from __future__ import annotations

import resource

MEBIBYTE = 1024 * 1024
RESERVE_MB = 64  # what a process over its limit gets in addition, to say that it is
RECYCLED_AT = 0.6  # of the limit: a process that ever grew so large is replaced after its job


def confine(megabytes: int) -> None:
    """Let this process allocate so much; beyond it Python raises MemoryError.

    RLIMIT_DATA counts what is written to and is nobody else's (heap, private mappings, stacks of threads), where
    RLIMIT_AS would count every address a library reserves and never touches.
    """
    soft, hard = megabytes * MEBIBYTE, (megabytes + RESERVE_MB) * MEBIBYTE
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def relax() -> None:
    """Give this process its reserve."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def recycled_at(megabytes: int) -> int:
    """The size in KiB (as Celery takes it) beyond which a process is not given another job."""
    return int(megabytes * 1024 * RECYCLED_AT)
