"""Bytes for objects and back.

Decisions
---------

What both sides call the same object
    A pickler numbers what it writes, and the unpickler numbers it alike, so after a payload is read both sides have
    the same numbers for the same objects at no cost. The answer's pickler begins with those numbers. A reference to
    something of the notebook's then is sent as a number and is read as the notebook's very object: aliases stay true
    at any depth (`encode.py`). The memo of the C unpickler cannot be set in CPython 3.11 to 3.13; a short pickle at the
    beginning of the answer gives the numbers instead.

How changes are found
    Before a cell runs, each object of the payload that can change is remembered by the identities of what it holds,
    and arrays by their bytes, which the environment's cache has anyway (`tracking.py`). Only objects that pickle
    themselves, such as a DataFrame, are digested; they are sent back whole, and the notebook's object takes over the
    new content where that is known to work (`transplant.py`). Digests of everything were slower.

Notebook code is pickled by our own rules
    dill and cloudpickle neither keep one global namespace for all functions, nor share closure cells between
    functions, nor give a class back as the same class. Our rules are reduce functions (`reducers.py`), so they work in
    the C pickler, in dill and in cloudpickle alike. A class carries a token, which its own side resolves to the class.

Shared objects are named by their content
    A payload holds the digest only (`shared.py`). The bytes are further frames of the payload, so staging, links and
    checks are those of all frames. A function reads them only if it does not have the object. The buffers are
    read-only there, since jobs share them. An object with notebook code is shared within one program only.

Deep data need no deep stack
    Data that are too deep for the C pickler are written by one in Python that puts aside what is nested
    (`deep_pickler.py`), so that no recursion limit is raised and code of classes runs under its own. Where a program's
    limit is high, C code that follows data has a thread with a large stack (`large_stack.py`).

The cache's keys are fingerprints
    A pickle of equal values differs by identities, the order of sets and random class tokens, so a key is computed
    from the values themselves (`fingerprint.py`). Where equality cannot be decided there is no key.
"""
