"""Executors for Covalent: `executor="lambdamagic"` and `executor="awslambda"` in a lattice.

Covalent imports `lambdamagic.covalent.lambdamagic` and `lambdamagic.covalent.awslambda` through their entry points; an
executor's short name is the last part of its module's name. Nothing else of lambdamagic imports this package, and none
of it runs in Lambda (that is `worker/electron.py`).

Decisions
---------

An electron is sent as bytes
    Covalent pickles on its client's machine and keeps what comes back pickled. So neither its server nor the function
    needs the user's modules, or Covalent, to pass it on. A failure comes as text under the names of its types.

What Covalent does around an electron is done by steps of ours
    Packages, commands and copies of local files are functions of Covalent's own, recognized by their names and pickles.

Some nodes stay with Covalent's local executor
    The graph of a sublattice and a lattice's result are steps of Covalent itself, which need Covalent and not Lambda.

An electron is a map of one task
    That has an id, a label and a cancel. Covalent is given the id only when the electron outlasts a moment, since its
    database takes longer to write it down than a short electron takes.

All that lasts is in the module `electron_jobs`
    An executor is JSON to Covalent, and recreated several times for each electron.
"""
