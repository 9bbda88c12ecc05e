"""One step of CloudFormation: a resource made, changed or deleted, with its events, rights and scripted faults."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

from lambdamagic.local.rights.callers import has_limited_rights, require_of_acting
from lambdamagic.local.rights.needed_rights import CallPlace
from lambdamagic.local.rights.stack_rights import rights_of_resource
from lambdamagic.local.server.error_bodies import AwsError

_STEP_S = 0.02
LOCK = threading.RLock()

Refuse = Callable[[str, str], str | None]


def _event(stack: Any, name: str, status: str, *, reason: str | None = None) -> None:
    from moto.cloudformation.models import Event

    event = Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=name,
        physical_resource_id=_physical_id(stack, name),
        resource_type=stack.resource_map._resource_json_map.get(name, {}).get("Type", ""),
        resource_status=status,
        resource_status_reason=reason,
        resource_properties=None,
    )
    stack.events.append(event)


def _physical_id(stack: Any, name: str) -> str:
    return str(getattr(stack.resource_map._parsed_resources.get(name), "physical_resource_id", "") or "")


def make(stack: Any, name: str, refuse: Refuse) -> None:
    """Make a resource.

    Raises:
        Exception: Whatever keeps it from being made; it is in the step's event.
    """
    resources = stack.resource_map

    def work() -> None:
        _raise_if_refused(name, "CREATE", refuse)
        _require_rights(stack, name, resources._resource_json_map[name], "CREATE")
        resources[name]

    _step(stack, name, "CREATE", work)


def change(stack: Any, name: str, body: dict[str, Any], refuse: Refuse) -> bool:
    """Change a resource to what a template says; return whether another one took its place.

    Raises:
        Exception: Whatever keeps it from being changed; it is in the step's event.
    """
    from moto.cloudformation.parsing import parse_and_update_resource

    resources = stack.resource_map

    def work() -> None:
        _raise_if_refused(name, "UPDATE", refuse)
        _require_rights(stack, name, body, "UPDATE")
        changed = parse_and_update_resource(
            name, copy.deepcopy(body), resources, account_id=stack.account_id, region_name=stack.region_name
        )
        if changed is not None:
            resources._parsed_resources[name] = changed

    before = _physical_id(stack, name)
    _step(stack, name, "UPDATE", work)
    return _physical_id(stack, name) != before


def take_away(stack: Any, name: str, refuse: Refuse) -> bool:
    """Delete a resource if it exists; return whether it is gone."""
    resources = stack.resource_map
    made = resources._parsed_resources.get(name)
    if made is None:
        return True
    body = resources._resource_json_map[name]

    def work() -> None:
        _raise_if_refused(name, "DELETE", refuse)
        _require_rights(stack, name, body, "DELETE")
        resources._delete_resource(made, body)

    try:
        _step(stack, name, "DELETE", work)
    except Exception as error:  # noqa: BLE001 - whatever moto raises is a resource that stays, and reported as its event
        if type(error).__name__ not in ("UnknownFunctionException", "ResourceNotFoundException", "NotFoundException"):
            return False  # what another process has deleted already is not a failure
    resources._parsed_resources.pop(name, None)
    return True


def _step(stack: Any, name: str, doing: str, work: Callable[[], Any]) -> None:
    """Do one thing to one resource, with its events; raises what goes wrong."""
    _event(stack, name, f"{doing}_IN_PROGRESS")
    time.sleep(_STEP_S)  # AWS takes seconds; a client must be able to see that it is under way
    try:
        with LOCK:
            work()
    except Exception as error:
        _event(stack, name, f"{doing}_FAILED", reason=_reason(error))
        raise
    _event(stack, name, f"{doing}_COMPLETE")


def _reason(error: Exception) -> str:
    return str(getattr(error, "message", "") or getattr(error, "description", "") or error)


def _raise_if_refused(name: str, doing: str, refuse: Refuse) -> None:
    reason = refuse(name, doing)
    if reason is not None:
        from lambdamagic.local.stacks.stack_resources import ResourceFailed

        raise ResourceFailed(reason)


def _require_rights(stack: Any, name: str, body: dict[str, Any], doing: str) -> None:
    from moto.cloudformation.parsing import parse_resource_and_generate_name

    from lambdamagic.local.stacks.stack_resources import ResourceFailed

    if not has_limited_rights():
        return
    resolved = parse_resource_and_generate_name(name, copy.deepcopy(body), stack.resource_map)
    if resolved is None:
        return  # a kind that moto does not have
    _, found, new_name = resolved
    made = stack.resource_map._parsed_resources.get(name)
    place = CallPlace(stack.account_id, stack.region_name)
    rights = rights_of_resource(
        body["Type"],
        doing,
        found.get("Properties", {}),
        name=str(getattr(made, "physical_resource_id", "") or new_name),
        place=place,
    )
    try:
        require_of_acting(rights)
    except AwsError as error:
        service = body["Type"].split("::")[1]
        raise ResourceFailed(f"{error.text} (Service: {service}, Status Code: 403)") from None
