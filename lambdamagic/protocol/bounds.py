"""Bounds that lambdamagic chooses itself; AWS's limits are in `lambdamagic.limits`."""

EVENT_AGE_S = 600  # how long an event may wait in Lambda's queue before it is dropped; AWS's default is 6 hours
PRESIGN_EXPIRES_S = 3600  # outlives the longest invocation on Lambda's own compute; credentials may end it earlier
WATCHDOG_MARGIN_S = 1.0  # how long before the deadline the stacks are taken
OUTPUT_MAX_CHARS = 2_000_000  # stdout and stderr of one task; the middle of more is left out
