"""The object store on S3, or any compatible service."""

from lambdamagic.storage.s3.store import S3ObjectStore

__all__ = ["S3ObjectStore"]
