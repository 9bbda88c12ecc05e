"""The instance as a server: HTTP, signatures, and its life as a process."""
