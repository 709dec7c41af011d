"""`ochaq`: the operators' command. Tables for people, `--json` for programs."""
