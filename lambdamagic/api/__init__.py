"""For programs: `LambdaExecutor` and the interfaces built on it. Import from `lambdamagic` itself."""
