"""The object-store seam.

Import what is needed from its module: `base` (the protocols), `presigned` (the worker's side), `s3` (the notebook's),
`memory` (the fake). Nothing is imported here, since the worker pays for every module.
"""
