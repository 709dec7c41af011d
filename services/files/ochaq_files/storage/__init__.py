"""Adapters to what keeps things: the database, the object store, the spool."""
