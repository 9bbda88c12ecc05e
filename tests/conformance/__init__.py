"""Documented behavior of `concurrent.futures` and `multiprocessing.Pool`, asked of theirs and of ours."""
