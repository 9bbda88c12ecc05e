"""The contract between the client and the code in Lambda: envelopes, limits, keys, versions, reports."""

#: Raised by one whenever an older function could misread a newer client, or the other way round.
PROTOCOL_VERSION = 1
