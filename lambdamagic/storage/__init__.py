"""The object-store seam."""
