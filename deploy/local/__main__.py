"""`python3 deploy/local <verb>`: Ochaq on one machine. Standard library only, as it runs before `.venv` exists."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (this line is for the older ones)
    sys.exit("Ochaq needs Python 3.11 or newer; on Debian 12 that is /usr/bin/python3.")

from ochaq_local.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
