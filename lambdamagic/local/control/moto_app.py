"""moto, in process: S3, IAM, STS, CloudWatch Logs, ECR, CloudFormation, SQS and Lambda's control plane.

moto's own server wants Flask and finds the service by guessing; here the service is known from the verified
signature and its handlers are called directly. Importing a service costs up to a second, so each is
imported when it is first asked for, and the likely ones in the background after the start.
"""

from __future__ import annotations

import errno
import gc
import io
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC
from importlib import import_module
from types import ModuleType
from typing import Any, cast
from urllib.parse import unquote

from lambdamagic.local.control import notifications
from lambdamagic.local.control.staged_blobs import StagedBlobs
from lambdamagic.local.server.auth import Credential
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse
from lambdamagic.local.server.server_options import BLOB_LIMIT_BYTES

SERVICES = {
    "s3": "s3",
    "iam": "iam",
    "sts": "sts",
    "lambda": "awslambda",
    "logs": "logs",
    "ecr": "ecr",
    "cloudformation": "cloudformation",
    "sqs": "sqs",
}
LIKELY_SERVICES = ("s3", "lambda", "iam")
_MISSING = (
    "The embedded Lambda's {service} needs the package {module}, which is not installed: "
    "pip install 'lambdamagic[stacks]'"
)
_FORM = re.compile(r"application/x-www-form-urlencoded|multipart/form-data", re.IGNORECASE)
_RANGE = re.compile(r"bytes=(\d+-\d*|-\d+)")
#: Tables of machines and regions that moto's CloudFormation imports, and that nothing here reads.
_UNREAD = ("moto.ec2.models.availability_zones_and_regions", "moto.ec2.models.instance_types")
_Routes = list[tuple[re.Pattern[str], Callable[..., Any]]]


class MotoApp:
    """Answers requests out of moto. Blocking: call it in a thread."""

    def __init__(
        self,
        *,
        account_id: str,
        on_load: dict[str, Callable[[], None]] | None = None,
        blob_limit_bytes: int = BLOB_LIMIT_BYTES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account_id = account_id
        self._blobs = StagedBlobs(blob_limit_bytes, size_of=self._size_of, delete=self._delete_object, now=now)
        self._routes: dict[str, _Routes] = {}
        self._lock = threading.RLock()
        self._conditional = threading.Lock()
        self._on_load = on_load or {}

    def load(self, service: str) -> None:
        """Import a service of moto's, once.

        Raises:
            AwsError: What it needs is not installed.
        """
        with self._lock:
            if service in self._routes:
                return
            package = SERVICES[service]
            # jsonschema, which moto imports for an API that no stack here has, would build a grammar for IRIs: with the
            # tables, most of the time that the first stack waits for. It does without where that module is missing.
            for unread in _UNREAD:
                sys.modules.setdefault(unread, _hollow(unread))
            sys.modules.setdefault("rfc3987_syntax", cast("ModuleType", None))
            try:
                with _without_collections():
                    urls = import_module(f"moto.{package}.urls")
            except ModuleNotFoundError as error:
                raise AwsError(501, "NotImplemented", _MISSING.format(service=service, module=error.name)) from error
            if service in self._on_load:
                self._on_load[service]()
            self._routes[service] = [(re.compile(path.format("")), handler) for path, handler in urls.url_paths.items()]

    def answer(self, service: str, request: HttpRequest) -> HttpResponse:
        """Answer a verified request.

        Raises:
            AwsError: moto does not have the service or the operation, or the disk is full.
        """
        if service not in SERVICES:
            text = f"The embedded Lambda has no service {service!r}; it has {', '.join(sorted(SERVICES))}."
            raise AwsError(501, "NotImplemented", text)
        if service not in self._routes:
            self.load(service)
        for pattern, handler in self._routes[service]:
            if pattern.match(request.path):
                # moto looks whether an object is there and then writes it, and requests run in several threads.
                alone = self._conditional if _is_conditional_write(request) else nullcontext()
                with alone, notifications.during(request):
                    response = self._call(handler, request)
                if service == "s3":
                    self._blobs.note(request, response)
                return response
        raise AwsError(404, "UnknownOperationException", f"{service} has no {request.method} {request.path}")

    def credential(self, access_key_id: str) -> Credential | None:
        """Return a key that moto's IAM or STS gave out, if they are loaded at all."""
        if "iam" not in self._routes and "sts" not in self._routes:
            return None
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        for user in list(iam_backends[self._account_id]["aws"].users.values()):
            for key in user.access_keys:
                if key.access_key_id == access_key_id and key.status == "Active":
                    return Credential(access_key_id, key.secret_access_key)
        for role in list(sts_backends[self._account_id]["aws"].assumed_roles):
            if role.access_key_id == access_key_id:
                ends = role.expiration.replace(tzinfo=UTC).timestamp()
                return Credential(access_key_id, role.secret_access_key, role.session_token, ends)
        return None

    def _size_of(self, bucket: str, key: str) -> int | None:
        from moto.s3.models import s3_backends

        found = s3_backends[self._account_id]["aws"].get_object(bucket, key)
        return None if found is None else int(found.size)

    def _delete_object(self, bucket: str, key: str) -> None:
        from moto.s3.models import s3_backends

        s3_backends[self._account_id]["aws"].delete_object(bucket, key)

    def _call(self, handler: Callable[..., Any], request: HttpRequest) -> HttpResponse:
        from botocore.exceptions import ClientError
        from werkzeug.exceptions import HTTPException

        received = moto_request(request)
        try:
            status, headers, body = handler(received, received.raw_url, dict(received.headers))
        except HTTPException as error:
            status, headers, body = error.code or 500, dict(error.get_headers()), error.get_body()
        except ClientError as error:
            status, headers, body = 400, {}, str(error)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # 507 and not 503: botocore retries those, and the disk stays full.
            raise AwsError(507, "InsufficientStorage", "The folder of the embedded Lambda has no space left.") from None
        except NotImplementedError as error:
            raise AwsError(501, "NotImplemented", str(error) or "moto does not have this operation") from None
        except Exception as error:  # moto's handlers raise anything; one request must not end the server
            traceback.print_exc()
            raise AwsError(500, "InternalFailure", f"moto failed: {type(error).__name__}: {error}") from error
        finally:
            # It refers to itself by its environment: the body would stay until the garbage collector comes by.
            received.environ.clear()
        content = body.encode() if isinstance(body, str) else bytes(body)
        return HttpResponse(int(status), _headers(headers, request, content), content)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Import without Python's garbage collector: it would find nothing, and takes a fifth of the time.

    What has been imported stays, and is not looked at by later collections either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _hollow(name: str) -> ModuleType:
    """Return a module from which any name can be imported: an empty class."""
    module = ModuleType(name)

    def attribute(wanted: str) -> type:
        if wanted.startswith("__"):
            raise AttributeError(wanted)
        return type(wanted, (), {})

    module.__dict__["__getattr__"] = attribute
    return module


def _is_conditional_write(request: HttpRequest) -> bool:
    """Return whether it writes only if ... ("Conditional writes", S3 user guide): of two at once one must lose."""
    headers = request.headers
    return request.method in ("PUT", "POST") and ("if-none-match" in headers or "if-match" in headers)


def _headers(headers: dict[str, Any], request: HttpRequest, content: bytes) -> list[tuple[str, str]]:
    kept = []
    for name, value in headers.items():
        lowered = str(name).lower()
        if lowered in ("connection", "transfer-encoding", "status"):
            continue
        if lowered == "content-length" and (request.method != "HEAD" or content):
            continue
        kept.append((str(name), str(value)))
    return kept


def moto_request(request: HttpRequest) -> Any:
    """Return a request in the form that moto's handlers and routers take."""
    from moto.core.request import (
        PRESERVED_HEADER_NAMES_ENVIRON_KEY,
        environ_key_for_header,
        should_preserve_original_header_name,
    )
    from moto.core.request import Request as MotoRequest

    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(request.path).encode().decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": f"{request.path}?{request.query}" if request.query else request.path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(request.body)),
    }
    preserved = {}
    for name, value in request.headers.items():
        if name in ("content-length", "transfer-encoding", "expect"):
            continue
        if name == "range" and not _RANGE.fullmatch(value):
            continue  # S3 ignores it ("Range Requests", RFC 9110); moto raises, or takes any unit for bytes
        key = environ_key_for_header(name)
        if name == "content-type" and request.method == "PUT" and _FORM.match(value):
            # moto would read an uploaded object as a form and store nothing; urllib sends this type unasked.
            environ[key] = "binary/octet-stream"
            continue
        environ[key] = value
        if should_preserve_original_header_name(name):
            preserved[key] = name
    environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = preserved
    received = MotoRequest(environ)
    received.from_wsgi_server = False
    return received
