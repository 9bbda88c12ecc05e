"""Create and change functions, buckets and their other resources through AWS's own APIs.

Decisions
---------

A deployment is one stack, made in two steps
    CloudFormation needs the package in a bucket, and the bucket belongs to the stack. So the first step makes the
    bucket, and the second the rest. Each step looks at the existing state (`deployment.py`): a run that was killed is
    finished by the next, and two at once end as one. The template's metadata remembers what it was made from.
    CloudFormation names the bucket, since another account can take a name that can be guessed.

An invoker is off unless asked for
    Inside AWS, or with some hundred Mbit/s up, a client sends events faster than Lambda starts environments. Over
    20 Mbit/s, 1,000 events with a program of 20 kB take 12 s directly and 4 s through an invoker
    (`benchmarks/invoker.py`). The function names its invoker in an environment variable, which the client reads anyway.
    The invoker has no VPC, as it calls Lambda only.

Packages are named by their content
    A function's `CodeSha256` leads to its package in the bucket, so a variant is made from the same code without any
    record (`variants.py`), and `lambdamagic/packages/` must not expire. Bytecode is compiled unchecked (PEP 552), since
    the times in a zip file say nothing, and with a fixed hash seed, since a frozenset's order goes into it.

The picklers are copied from the notebook's environment
    They are pure Python, they are the versions that write the payloads, and no package index is asked (`agent.py`).

What an image holds is kept on the machine that pushed it
    A registry does not say what is in an image without its layers, and a label cannot hold what a build installs
    (`pushed.py`). A file in the user's cache folder needs no rights and no bucket.

A function that publishes nothing is asked
    One small invocation lists its distributions and modules (`function_holdings.py`). The answer is kept under
    the hash of its code, so neither sessions nor variants ask again. If it cannot be asked, nothing is compared: the
    job then meets the same trouble and explains it better.

Secrets of a build stay out of images
    A CA file and pip's configuration are mounted as secrets, which docker, podman and buildah all know.
"""
