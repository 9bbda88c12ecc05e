"""`import lambdamagic.joblib` makes the backend known: `joblib.parallel_config(backend="lambdamagic")`."""

from lambdamagic.api.joblib_backend import register

register()
