"""The invoke seam."""
