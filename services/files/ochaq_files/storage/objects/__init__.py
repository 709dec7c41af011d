"""Where bytes are kept: one interface, a local directory or any S3 (module `s3`, loaded where it is used) behind it."""

from ochaq_files.storage.objects.base import (
    ObjectCorrupt,
    ObjectMissing,
    Objects,
    Piece,
    Span,
    StoreUnavailable,
    object_key,
)
from ochaq_files.storage.objects.local import LocalObjects

__all__ = [
    "LocalObjects",
    "ObjectCorrupt",
    "ObjectMissing",
    "Objects",
    "Piece",
    "Span",
    "StoreUnavailable",
    "object_key",
]
