"""The one way these commands give up."""


class Stop(Exception):
    """Ends the command with exit code 1 and this one sentence, which says what to do."""
