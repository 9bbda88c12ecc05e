"""Executors for Covalent: `executor="lambdamagic"` and `executor="awslambda"` in a lattice.

Covalent imports `lambdamagic.covalent.lambdamagic` and `lambdamagic.covalent.awslambda` through their entry points; an
executor's short name is the last part of its module's name. Nothing else of lambdamagic imports this package, and none
of it runs in Lambda (that is `worker/electron.py`).
"""
