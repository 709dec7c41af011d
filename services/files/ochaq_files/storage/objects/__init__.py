"""Where bytes are kept: one interface, a local directory or any S3 behind it."""

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
from ochaq_files.storage.objects.s3 import S3Objects

__all__ = [
    "LocalObjects",
    "ObjectCorrupt",
    "ObjectMissing",
    "Objects",
    "Piece",
    "S3Objects",
    "Span",
    "StoreUnavailable",
    "object_key",
]
