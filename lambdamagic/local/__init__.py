"""The embedded Lambda: a local server that uses the AWS APIs.

`local_server` and `shared_server` are the client's side, `lifecycle` and `instance` put the server together from its
rooms: `server` (HTTP and signatures), `control` (moto), `environments` (processes and their pool), and what a user's
instance loads only when it is needed: `rights`, `stacks`, `testing`.
"""
