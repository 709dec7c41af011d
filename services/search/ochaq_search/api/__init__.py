"""The HTTP door of the search service."""
