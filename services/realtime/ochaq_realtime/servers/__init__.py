"""One runner per ASGI server, and what each lets us do below ASGI."""
