"""Access to an AWS account or the embedded Lambda: one boto3 session, created when first needed.

Profile, region, credentials and endpoint are looked up by boto3's own rules; what is given here goes before them.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdamagic.aws.aws_errors import SIGN_IN, AwsContext, error_from_botocore
from lambdamagic.aws.proxies import is_loopback
from lambdamagic.aws.sigv4 import FrozenCredentials
from lambdamagic.aws.whole_responses import require_whole_responses
from lambdamagic.errors import ConfigError, CredentialsError, TargetError

if TYPE_CHECKING:
    import boto3

_LOOK_EVERY_S = 1.0
_RENEW_EVERY_S = 60.0


class _Files:
    """The files that credentials were read from once and for all: botocore never looks at them again."""

    def __init__(self) -> None:
        self._paths: tuple[Path, ...] = ()
        self._stamp: tuple[int, ...] = ()
        self._looked_at = 0.0

    def watch(self, session: boto3.Session, credentials: Any) -> None:
        """Remember what the files are like now, if these credentials come from them."""
        if getattr(credentials, "method", "") in ("shared-credentials-file", "config-file"):
            names = [session._session.get_config_variable(name) for name in ("credentials_file", "config_file")]
            self._paths = tuple(Path(name).expanduser() for name in names if name)
            self._stamp = self._now()

    def have_changed(self) -> bool:
        """Return whether they were written since; checked once a second at most."""
        now_s = time.monotonic()
        if not self._paths or now_s - self._looked_at < _LOOK_EVERY_S:
            return False
        self._looked_at = now_s
        return self._now() != self._stamp

    def _now(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in self._paths)


def still_expired(error: RuntimeError) -> CredentialsError:
    """Return our error for botocore's RuntimeError about credentials that are expired even when renewed."""
    return CredentialsError(f"the AWS credentials have expired, and so have the renewed ones: {error}", hint=SIGN_IN)


class AwsAccess:
    """Makes clients from one lazily made boto3 session. Thread-safe.

    boto3 is imported at the first call, not with this module.

    Args:
        region: AWS region, or None for boto3's own search.
        profile: Profile of `~/.aws/config`, or None.
        endpoint_url: Where all services are, or None for AWS.
        access_key_id: With `secret_access_key`: used instead of boto3's search.
        secret_access_key: See `access_key_id`.
        session_token: Of temporary credentials.
        credentials_file: Is read instead of `~/.aws/credentials`.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        credentials_file: str | None = None,
    ) -> None:
        self.endpoint_url = endpoint_url
        self._region = region
        self.profile = profile
        self._keys = (access_key_id, secret_access_key, session_token)
        self.credentials_file = credentials_file
        self._lock = threading.RLock()
        self._session: boto3.Session | None = None
        self._credentials: Any = None
        self._files = _Files()
        self._renewed_at = float("-inf")
        #: How often the session was recreated: a client of an older one has older credentials.
        self.generation = 0

    def session(self) -> boto3.Session:
        """Return the session.

        Raises:
            CredentialsError: the profile does not exist.
        """
        with self._lock:
            if self._session is None:
                import boto3
                from botocore.exceptions import BotoCoreError

                key_id, secret, token = self._keys
                core = None
                if self.credentials_file is not None:
                    import botocore.session

                    core = botocore.session.get_session()
                    core.set_config_variable("credentials_file", self.credentials_file)
                try:
                    self._session = boto3.Session(
                        aws_access_key_id=key_id,
                        aws_secret_access_key=secret,
                        aws_session_token=token,
                        region_name=self._region,
                        profile_name=self.profile,
                        botocore_session=core,
                    )
                except BotoCoreError as exc:
                    raise error_from_botocore(exc, AwsContext("start an AWS session")) from exc
            return self._session

    def client(self, service: str, **config: Any) -> Any:
        """Return a new client of a service; the caller closes it.

        Args:
            service: boto3's name, such as "s3" or "lambda".
            **config: Fields of `botocore.config.Config`.

        Raises:
            ConfigError: no region is set, or it is none.
            TargetError: the configuration files are broken.
            CredentialsError: the profile does not exist.
        """
        session = self.session()
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        if self.endpoint_url and is_loopback(self.endpoint_url):
            config.setdefault("proxies", {})  # the embedded Lambda is not to be reached through a proxy

        with self._lock:  # making a client is not thread-safe, using it is ("Multithreading", boto3 guide)
            try:
                client: Any = session.client(
                    service,  # type: ignore[call-overload]  # the stubs know literal names only
                    endpoint_url=self.endpoint_url,
                    config=Config(**config),
                )
            except BotoCoreError as exc:
                raise error_from_botocore(exc, AwsContext(f"make a client for {service}")) from exc
            except ValueError as exc:
                raise TargetError(f"could not make a client for {service}: {exc}") from exc
        require_whole_responses(client)
        return client

    def credentials(self) -> FrozenCredentials:
        """Return the credentials as they are now; temporary ones are renewed when they are about to expire.

        Raises:
            CredentialsError: there are none, or they cannot be renewed.
        """
        if self._files.have_changed():
            self.renew()
        credentials = self._credentials
        if credentials is None:
            with self._lock:
                credentials = self._credentials = self.session().get_credentials()
                self._files.watch(self.session(), credentials)
            if credentials is None:
                raise CredentialsError(
                    "no AWS credentials found",
                    hint="Run `aws configure` or `aws sso login`, or use --target local",
                )
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            frozen: FrozenCredentials = credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as exc:
            raise error_from_botocore(exc, AwsContext("renew the AWS credentials")) from exc
        except RuntimeError as exc:  # botocore's own word for what it renewed and found expired again
            raise still_expired(exc) from exc
        return frozen

    def lasting_s(self, needed_s: float) -> float:
        """Return for how long the credentials last, in seconds, after having tried for some that last long enough.

        What they sign ends with them. Credentials without an expiry time are assumed to last.
        """
        self.credentials()
        left_s = self._left_s()
        now_s = time.monotonic()
        if left_s < needed_s and now_s - self._renewed_at > _RENEW_EVERY_S and self._keys[0] is None:
            self._renewed_at = now_s  # a session may be shorter than what is needed: that is not asked for each time
            self.renew()
            self.credentials()
            left_s = self._left_s()
        return left_s

    def _left_s(self) -> float:
        ends: datetime | None = getattr(self._credentials, "_expiry_time", None)  # botocore's refreshable ones
        return float("inf") if ends is None else (ends - datetime.now(UTC)).total_seconds()

    def renew(self) -> bool:
        """Let the next call look up credentials again, in files, variables and caches; False if they were given."""
        if self._keys[0] is not None:
            return False
        with self._lock:
            self._session = self._credentials = None
            self._files = _Files()
            self.generation += 1
        return True

    @property
    def region(self) -> str:
        """The region, as given or as boto3 finds it.

        Raises:
            ConfigError: none is set.
        """
        region = self._region or self.session().region_name
        if region is None:
            raise ConfigError(
                "no AWS region is set",
                hint="Set one, such as eu-central-1, with --region, the setting `region` or AWS_DEFAULT_REGION",
            )
        return region

    def ca_file(self) -> str | None:
        """Return the certificates that boto3 trusts: AWS_CA_BUNDLE, the profile's `ca_bundle`, or botocore's own."""
        session = self.session()
        import os

        from botocore.httpsession import get_cert_path

        configured: str | None = session._session.get_config_variable("ca_bundle")
        return configured or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(True)
