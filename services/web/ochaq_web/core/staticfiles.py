"""Static files with their content's hash in the name, so that the gateway may call them immutable."""

from __future__ import annotations

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class HashedStaticFiles(ManifestStaticFilesStorage):
    """Hashed names once `manage collectstatic` has run; plain names before, which a fresh checkout and tests need."""

    # ES modules import each other by relative path; those imports have to be rewritten too.
    support_js_module_import_aggregation = True

    def stored_name(self, name: str) -> str:
        clean: str = self.clean_name(name)
        return self.hashed_files.get(self.hash_key(clean), clean)
