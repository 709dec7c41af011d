"""`python -m ochaq_worker work|beat`."""

from ochaq_worker.main import main

main()
