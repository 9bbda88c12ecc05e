"""AWS's partitions, and the hosts of their services.

The function has no botocore, so this is botocore's `partitions.json` in a few lines; a test compares the two.
It knows names only and makes no requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Partition:
    """One AWS partition, such as `aws` or `aws-cn`.

    Attributes:
        name: As written in ARNs.
        begin: How the names of its regions begin.
        dns_suffix: The end of its hosts' names.
        dual_stack_suffix: The same for hosts that also support IPv6; S3 differs.
    """

    name: str
    begin: str
    dns_suffix: str
    dual_stack_suffix: str


AWS = Partition("aws", "", "amazonaws.com", "api.aws")

#: The first whose beginning fits is a region's; the last fits all, as in botocore.
PARTITIONS = (
    Partition("aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    Partition("aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    Partition("aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    Partition("aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    Partition("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    Partition("aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    Partition("aws-us-gov", "us-gov-", "amazonaws.com", "api.aws"),
    AWS,
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Which endpoints of a region are used: FIPS, dual stack.

    Attributes:
        region: The region.
        fips: Those with validated cryptography.
        dual_stack: Those that also support IPv6.
    """

    region: str
    fips: bool = False
    dual_stack: bool = False

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Endpoints:
        """Return the endpoints that the SDKs' environment variables select ("AWS SDKs and Tools Reference Guide")."""
        return cls(
            environ.get("AWS_REGION", "us-east-1"),
            fips=environ.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true",
            dual_stack=environ.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true",
        )

    def service_url(self, service: str) -> str:
        """Return where a service other than S3 is."""
        partition = partition_of(self.region)
        suffix = partition.dual_stack_suffix if self.dual_stack else partition.dns_suffix
        return f"https://{service}{'-fips' if self.fips else ''}.{self.region}.{suffix}"

    def bucket_url(self, bucket: str) -> str:
        """Return where a bucket's keys are, without a slash at the end.

        The host is always the region's own: the global one answers 307 for hours after a bucket was made, and 400 in
        newer regions, and a presigned URL cannot follow a redirect ("Request routing", S3 user guide).
        """
        host = (
            f"s3{'-fips' if self.fips else ''}{'.dualstack' if self.dual_stack else ''}."
            f"{self.region}.{partition_of(self.region).dns_suffix}"
        )
        # TLS could not vouch for the host of a bucket with dots in its name ("Virtual hosting", S3 user guide).
        return f"https://{host}/{bucket}" if "." in bucket else f"https://{bucket}.{host}"


def partition_of(region: str) -> Partition:
    """Return the partition of a region; one that is not known is taken for one of `aws`."""
    return next(partition for partition in PARTITIONS if region.startswith(partition.begin))


def is_aws_host(host: str) -> bool:
    """Return whether a host name is AWS's."""
    suffixes = (suffix for partition in PARTITIONS for suffix in (partition.dns_suffix, partition.dual_stack_suffix))
    return host.endswith(tuple(f".{suffix}" for suffix in suffixes))
