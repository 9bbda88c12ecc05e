"""Bytes for objects and back."""
