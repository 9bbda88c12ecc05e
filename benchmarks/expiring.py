"""A map whose session of AWS's ends while it runs, and whose user signs in again: the last of the fault campaigns."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

from benchmarks.campaign import Campaign, work
from benchmarks.warm import warm_executor
from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.local.testing.faults import Faults
from lambdamagic.pythons import python_here
from lambdamagic.targets.local_target import LocalTarget
from lambdamagic.targets.target import FunctionWish

_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_ROLE = "session"


def _sign_in(target: LocalTarget, file: Path) -> None:
    """Write a new session of a role into a credentials file, as `aws sso` and other tools do."""
    with closing(target.access.client("iam")) as iam, closing(target.access.client("sts")) as sts:
        try:
            role = iam.create_role(RoleName=_ROLE, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
            iam.put_role_policy(RoleName=_ROLE, PolicyName="all", PolicyDocument=json.dumps(_ALL))
        except iam.exceptions.EntityAlreadyExistsException:
            role = iam.get_role(RoleName=_ROLE)["Role"]["Arn"]
        found = sts.assume_role(RoleArn=role, RoleSessionName="ada")["Credentials"]
    file.write_text(
        f"[default]\naws_access_key_id = {found['AccessKeyId']}\n"
        f"aws_secret_access_key = {found['SecretAccessKey']}\naws_session_token = {found['SessionToken']}\n"
    )


def run(tasks: int, folder: Path, *, chunksize: int, mode: str) -> Campaign:
    """Run `tasks` tasks as on AWS, with a session that ends when a quarter is done; what failed then is resumed.

    Args:
        tasks: How many.
        folder: Where each task notes that it ran; empty.
        chunksize: Tasks in one invocation.
        mode: How invocations are made.
    """
    campaign, file = Campaign(), folder.with_name(f"{folder.name}-credentials")
    with warm_executor(memory_mb=256, timeout_s=15) as (_, target):
        function = target.function_for(FunctionWish(256, 15, python_here()))
        target.trigger_secret(function.name)
        _sign_in(target, file)
        executor = LambdaExecutor(
            target="aws",
            region=target.region,
            endpoint_url=target.access.endpoint_url,
            function=function.name,
            bucket=target.stager.required().bucket,
            credentials_file=str(file),
            memory_mb=256,
            timeout_s=15,
            mode=mode,
        )
        faults = Faults(target.server.connection)
        with executor:
            executor.add_listener(campaign.listen)
            began = time.perf_counter()
            job = executor.start_map(work, range(tasks), [str(folder)] * tasks, chunksize=chunksize)
            while sum(campaign.finished.values()) < tasks // 4:
                time.sleep(0.01)  # a listener learns of each, and has no effect
            faults.expire_sessions()
            _sign_in(target, file)
            for _ in range(3):
                job.wait()
                if job.state == "done":
                    break
                job.resume()
            found = job.results()
            campaign.seconds = time.perf_counter() - began
        faults.clear()
    file.unlink()
    campaign.wrong = sum(result != (number, number * number) for number, result in enumerate(found))
    campaign.twice = {int(path.name) for path in folder.iterdir() if path.stat().st_size > 1}
    return campaign
