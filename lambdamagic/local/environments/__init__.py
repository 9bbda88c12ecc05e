"""Execution environments: their processes, the Runtime API, and which of them runs an invocation."""
