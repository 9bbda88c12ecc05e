"""For programs: `LambdaExecutor` and what stands on it. Import from `lambdamagic` itself."""
