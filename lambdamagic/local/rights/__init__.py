"""Which calls the policies of IAM allow; loaded with the first key that is not the owner's.

Decisions
---------

Policies are decided by our own reading of IAM's language
    moto's ignores resources, takes a condition that is not met for a denial, and knows one operator
    (`policy_language.py`). moto's router and parsers say what a request is (`operations.py`); AWS's tables say which
    rights it needs (`needed_rights.py`, `stack_rights.py`).
"""
