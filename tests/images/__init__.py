"""Images, built for real."""
