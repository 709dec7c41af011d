"""The faults of the matrix. Importing this package registers all of them, in the order in which they run."""

from matrix import web, bus, jobs, clock, broker, postgres, poison, machine  # noqa: F401, I001
