"""`python -m ochaq_web serve|relay|consume|migrate|seed|manage …`."""

from ochaq_web.main import main

main()
