"""Ochaq: the search service."""
