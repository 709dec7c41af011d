"""`python -m ochaq_files serve|relay|consume|migrate`."""

import sys

from ochaq_files.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
