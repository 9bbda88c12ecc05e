"""The object store on S3, or on anything that speaks its protocol."""

from lambdamagic.storage.s3.store import S3ObjectStore

__all__ = ["S3ObjectStore"]
