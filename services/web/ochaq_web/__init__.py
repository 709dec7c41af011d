"""Ochaq's web service: users, recipes, students, jobs and every page."""

__version__ = "0.1.0"
