"""The object store on S3, or on anything that speaks its protocol."""

from lambdamagic.storage.s3.access import AwsAccess
from lambdamagic.storage.s3.store import S3ObjectStore

__all__ = ["AwsAccess", "S3ObjectStore"]
