"""A package as the stack takes it: zip files in the bucket, layers of the stack's own, variables."""

from __future__ import annotations

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.aws_calls import client, explained, is_code
from lambdamagic.deploy.packages import Package, package_key, upload
from lambdamagic.deploy.template import layer_parameter
from lambdamagic.protocol.holdings import VARIABLE, pack, stored_key


class PackagedCode:
    """The result of `build_package`, for a `Deployment`.

    Args:
        package: The zip files; their folder must be there as long as this is used.
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        self._held, self._document = pack(package.holdings)

    @property
    def versions(self) -> tuple[str, ...]:
        """Its packages, as `name==version`."""
        return tuple(f"{name}=={version}" for name, version in sorted(self.package.holdings.packages.items()))

    def parameters(self) -> dict[str, str]:
        """Return the template's parameters that say where it is, but for the bucket."""
        layers = {layer_parameter(layer.kind): package_key(layer.zip) for layer in self.package.layers}
        return {"CodeKey": package_key(self.package.code), **layers}

    def environment(self) -> dict[str, str]:
        """Return the environment variable that describes what the function holds."""
        return {VARIABLE: self._held}

    def layers(self) -> tuple[str, ...]:
        """Return the kinds of its layers, in the function's order."""
        return tuple(layer.kind for layer in self.package.layers)

    def upload(self, access: AwsAccess, bucket: str) -> None:
        """Upload the objects that the bucket does not have yet.

        Raises:
            TargetError: It cannot be put there.
        """
        for facts in (self.package.code, *(layer.zip for layer in self.package.layers)):
            upload(access, facts, bucket=bucket)
        key = stored_key(self._held)
        if key is None or self._document is None:
            return
        from botocore.exceptions import ClientError

        with explained(f"put the list of packages into {bucket}", bucket=bucket), client(access, "s3") as s3:
            try:
                s3.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if not is_code(error, "404", "403", "NoSuchKey"):
                    raise
                s3.put_object(Bucket=bucket, Key=key, Body=self._document)
