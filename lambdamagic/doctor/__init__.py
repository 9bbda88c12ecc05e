"""Finds what keeps jobs from running, in order, each with its mend: `lambdamagic doctor`, `%lambda doctor`."""
