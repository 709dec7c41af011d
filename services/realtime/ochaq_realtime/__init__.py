"""Ochaq: the realtime service."""
