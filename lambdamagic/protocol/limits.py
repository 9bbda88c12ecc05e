"""AWS's limits, each with the page that states it. Sizes in bytes, times in seconds, memory in MB."""

MEMORY_MIN_MB = 128  # AWS Lambda Developer Guide, "Lambda quotas"
MEMORY_MAX_MB = 10_240  # the same page
TIMEOUT_MIN_S = 1  # API reference, CreateFunction, Timeout
TIMEOUT_MAX_S = 900  # "Lambda quotas"
SYNC_PAYLOAD_MAX_BYTES = 6 * 1024 * 1024  # "Lambda quotas": request and response, synchronous
ASYNC_PAYLOAD_MAX_BYTES = 1024 * 1024  # "Lambda quotas": request, asynchronous (256 KiB until October 2025)
LOG_TAIL_MAX_BYTES = 4096  # API reference, Invoke, LogType

# Base64 makes four bytes of three, and the envelope around it takes some: what may ride inline in an event or in an
# answer, before encoding.
ENVELOPE_ALLOWANCE_BYTES = 64 * 1024
INLINE_MAX_BYTES = (SYNC_PAYLOAD_MAX_BYTES - ENVELOPE_ALLOWANCE_BYTES) * 3 // 4

# The same for an asynchronous event, half for the program and half for the items.
EVENT_INLINE_MAX_BYTES = (ASYNC_PAYLOAD_MAX_BYTES - ENVELOPE_ALLOWANCE_BYTES) * 3 // 4 // 2

# What lambdamagic itself chooses.
EVENT_AGE_S = 600  # how long an event may wait in Lambda's queue before it is dropped; AWS's default is 6 hours
PRESIGN_EXPIRES_S = 3600  # outlives the longest invocation four times over; temporary credentials may end it earlier
WATCHDOG_MARGIN_S = 1.0  # how long before the deadline the stacks are taken
OUTPUT_MAX_CHARS = 2_000_000  # stdout and stderr of one task; the middle of more is left out
