"""The object-store interface.

Import what is needed from its module: `object_store` (the protocols), `presigned` (the worker's side), `s3` (the
notebook's), `memory_store` (the fake). Nothing is imported here, since the worker pays for every module.
"""
