"""The problem codes of students."""

from __future__ import annotations

from ochaq_shared.problems import define

EMAIL_TAKEN = define("students.email_taken", 409, "Another student has this e-mail address")
BATCH_TOO_LARGE = define("students.batch_too_large", 413, "A batch holds too many students")
CHUNK_DIFFERS = define("students.chunk_differs", 409, "This chunk was stored with another number of students")
