"""`python -m ochaq_realtime serve|consume`."""

from ochaq_realtime.main import main

if __name__ == "__main__":
    main()
