"""Ochaq: the worker service."""
