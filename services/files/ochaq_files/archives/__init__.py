"""A folder as a zip whose every byte is known before the first one is sent."""

from ochaq_files.archives.entries import Entry, entry_names
from ochaq_files.archives.layout import Layout
from ochaq_files.archives.manifests import Manifest, manifest_current, manifest_snapshot

__all__ = ["Entry", "Layout", "Manifest", "entry_names", "manifest_current", "manifest_snapshot"]
