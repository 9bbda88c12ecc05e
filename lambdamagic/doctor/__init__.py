"""Find out why jobs do not run, check by check, each with its fix: `lambdamagic doctor`, `%lambda doctor`.

Decisions
---------

It is a package next to `api`
    Its round trip goes through a target. Findings are data; the command and the magic only show them.
"""
