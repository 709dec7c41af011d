"""The processes of the files service; each module wires one and has `run(settings)`."""
