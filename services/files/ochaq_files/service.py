"""What the doors work with: one object that holds this process's adapters and rules."""

from __future__ import annotations

from dataclasses import dataclass

from ochaq_shared.identity import Verifier

from ochaq_files.settings import FilesSettings
from ochaq_files.storage.database import Database
from ochaq_files.storage.objects import Objects
from ochaq_files.storage.scratch import Scratch
from ochaq_files.uploads import Uploads


@dataclass(frozen=True)
class Service:
    """Made once by `main`, handed to every door."""

    settings: FilesSettings
    database: Database
    objects: Objects
    spool: Scratch
    uploads: Uploads
    verifier: Verifier
