"""One machine's Ochaq: installs, starts, watches and stops every process of one instance."""
