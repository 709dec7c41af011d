"""`python -m ochaq_search serve|index`."""

import sys

from ochaq_search.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
