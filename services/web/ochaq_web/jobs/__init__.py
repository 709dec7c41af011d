"""Heavy work: PostgreSQL is the job, Celery is only the engine that runs it (design/jobs.md)."""
