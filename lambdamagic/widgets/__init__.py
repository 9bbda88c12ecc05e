"""Views of a job: they listen to events only."""
