"""The door: HTTP. Parse, call one rule, shape the answer."""

from ochaq_files.api.app import build_app

__all__ = ["build_app"]
