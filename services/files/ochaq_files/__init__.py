"""Ochaq: the files service."""
