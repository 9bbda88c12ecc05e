"""The engine: scheduling, retries, chunks."""
