"""The code that runs inside Lambda. Nothing here imports the notebook's side.

Decisions
---------

An uploaded request is sealed with a secret of the function's
    A bucket's notification can carry neither a permission nor a key, so the job's key is derived from that secret
    (`trigger.py`). docs/security.md says what that means.

The watchdog interrupts by a signal in the main thread
    That reaches code that sleeps or waits, and not code inside a C extension; the stacks are then in the log, whose end
    comes with Lambda's own timeout error (`watchdog.py`). Its thread sleeps between short invocations, since waking it
    would cost more than a trivial cell.

The user's modules are files
    They are imported for the time of one job (`ownmodules.py`), so imports, `inspect` and relative data files work as
    at home.
"""
