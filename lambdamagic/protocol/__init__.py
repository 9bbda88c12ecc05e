"""The contract between the client and the code in Lambda: envelopes, keys, versions, reports.

Decisions
---------

A function publishes what it holds in an environment variable
    The client reads the function's configuration once anyway, so it needs no further right and learns this before
    anything is sent (`holdings.py`). Up to 2,000 of the 4,096 characters are used; a longer list is in the bucket
    under its SHA-256.

Each invocation names its job in the log
    That is how logs of any age are found by job (`joblog.py`).
"""

#: Raised by one whenever an older function could misread a newer client, or the other way round.
PROTOCOL_VERSION = 1
