"""Functions, buckets and what they need, made through AWS's own APIs."""
