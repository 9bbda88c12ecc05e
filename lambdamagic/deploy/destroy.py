"""Delete a deployment, and report what remains."""

from __future__ import annotations

from dataclasses import dataclass

from lambdamagic.aws.access import AwsAccess
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.deploy.aws_calls import client, explained, is_code
from lambdamagic.deploy.managed import delete_variants
from lambdamagic.deploy.stack import OnEvent, Stack
from lambdamagic.errors import AwsBusyError
from lambdamagic.protocol.keys import PREFIX

_ROUNDS = 4


@dataclass(frozen=True)
class Inventory:
    """The resources that would be deleted.

    Attributes:
        name: The stack.
        resources: Its resources: type and id in AWS.
        bucket: The stack's own bucket; None if it uses an existing one.
        objects: How many objects are in it.
        size_bytes: How large they are together.
        foreign_objects: How many of them are not lambdamagic's.
    """

    name: str
    resources: tuple[tuple[str, str], ...]
    bucket: str | None
    objects: int
    size_bytes: int
    foreign_objects: int


@dataclass(frozen=True)
class Destroyed:
    """The deleted resources, and those that remain.

    Attributes:
        deleted_objects: How many objects were deleted from the bucket.
        left: What stays, in words.
    """

    deleted_objects: int
    left: tuple[str, ...]


class Demolition:
    """Deletes a stack.

    Args:
        access: The account.
        name: The stack's name.
        on_event: Called with CloudFormation's events.
        clock: The time.

    Attributes:
        variants: What was deleted of the function's variants in other sizes.
    """

    def __init__(
        self, access: AwsAccess, name: str, *, on_event: OnEvent | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._access = access
        self._stack = Stack(access, name, on_event=on_event, clock=clock)
        self.variants: list[str] = []

    def inventory(self) -> Inventory | None:
        """Return the stack's resources; None if the stack does not exist.

        Raises:
            NotOursError: The stack is not lambdamagic's.
        """
        state = self._stack.state()
        if state is None:
            return None
        name = state.name
        with explained(f"look at the stack {name}"), client(self._access, "cloudformation") as cloudformation:
            found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        resources = tuple((each["ResourceType"], each.get("PhysicalResourceId", "")) for each in found)
        bucket = next((physical for kind, physical in resources if kind == "AWS::S3::Bucket"), None)
        objects, size, foreign = self._contents(bucket) if bucket else (0, 0, 0)
        return Inventory(name, resources, bucket, objects, size, foreign)

    def run(self, *, empty_bucket: bool) -> Destroyed:
        """Delete the stack, and with consent what is in its bucket.

        Args:
            empty_bucket: Whether the bucket's content may be deleted. Without that a bucket that is not empty stays,
                and the stack with it.

        Raises:
            StackFailedError: Something could not be deleted.
        """
        deleted = 0
        for _ in range(_ROUNDS):
            found = self.inventory()
            if found is None:
                return Destroyed(deleted, ())
            state = self._stack.wait()
            if state is None:
                return Destroyed(deleted, ())
            if found.bucket and found.objects and not empty_bucket:
                left = f"the bucket {found.bucket} with {found.objects:,} objects, and the stack {found.name}"
                return Destroyed(0, (left,))
            self.variants += delete_variants(self._access, found.name)  # they are no part of the stack, and need it
            if found.bucket and found.objects:
                deleted += self._empty(found.bucket)
            self._stack.delete()
            left_state = self._stack.wait(state.id)
            if left_state is None:
                foreign = self._left_behind(found)
                return Destroyed(deleted, foreign)
            now = self.inventory()
            if not (now and now.objects and empty_bucket):  # else a job wrote something meanwhile
                raise self._stack.failure("delete", left_state)
        raise AwsBusyError(
            f"the bucket of {self._stack.name} keeps filling while it is emptied",
            hint="Stop the jobs that write to it",
        )

    def _contents(self, bucket: str) -> tuple[int, int, int]:
        from botocore.exceptions import ClientError

        objects = size = foreign = 0
        with explained(f"look into the bucket {bucket}", bucket=bucket), client(self._access, "s3") as s3:
            try:
                for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                    for each in page.get("Contents", []):
                        objects += 1
                        size += each["Size"]
                        foreign += not each["Key"].startswith(f"{PREFIX}/")
            except ClientError as error:
                if not is_code(error, "NoSuchBucket"):  # it was deleted by hand
                    raise
        return objects, size, foreign

    def _empty(self, bucket: str) -> int:
        from botocore.exceptions import ClientError

        deleted = 0
        with explained(f"empty the bucket {bucket}", bucket=bucket), client(self._access, "s3") as s3:
            for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
                for upload in page.get("Uploads", []):
                    s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                keys = [{"Key": each["Key"]} for each in page.get("Contents", [])]
                if keys:
                    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
                    for refused in answer.get("Errors", []):  # each key has a separate answer, within a 200
                        raise ClientError({"Error": refused}, "DeleteObjects")
                    deleted += len(keys)
        return deleted

    def _left_behind(self, found: Inventory) -> tuple[str, ...]:
        if found.bucket is None:
            return ("the bucket, which existed before, with the objects of jobs below lambdamagic/",)
        return ()
