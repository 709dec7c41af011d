"""Students: the real ones that people keep, and the demo ones that a job makes by the thousand."""
