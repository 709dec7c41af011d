"""The real servers the platform stands on, each run as this project's own process with its own configuration."""
