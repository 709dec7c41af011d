"""The door: ASGI in, one call to the rules."""
