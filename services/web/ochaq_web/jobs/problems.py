"""The problem codes of jobs."""

from __future__ import annotations

from ochaq_shared.problems import define

OVER = define("jobs.over", 409, "The job is over")
NOT_RETRYABLE = define("jobs.not_retryable", 409, "Only a failed or cancelled job can be retried")
NOT_CLAIMABLE = define("jobs.not_claimable", 409, "The job cannot be claimed now")
STALE_FENCE = define("jobs.stale_fence", 409, "Another claim of this job took over")
