"""One word for a server that is away, for everybody who can wait for it."""

from __future__ import annotations


class Unavailable(Exception):
    """A server that is needed does not answer, or not now; asking again later may help.

    Raised by the handler of an event, it makes the event wait without a try being counted against it.
    """
