"""Cubed on Lambda: `cubed.Spec(work_dir=..., executor=lambdamagic.cubed.LambdaExecutor(memory_mb=4096))`."""

from lambdamagic.graphs.cubed_executor import CubedExecutor as LambdaExecutor

__all__ = ["LambdaExecutor"]
