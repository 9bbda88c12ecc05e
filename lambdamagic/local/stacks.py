"""CloudFormation as it behaves: resource by resource, with events, in the background, and back again on failure.

moto makes a whole stack while it answers the request, knows no rollback, and makes what is missing whenever somebody
looks. Here a thread of its own does one resource after the other, so that a client sees IN_PROGRESS, can be killed
in between, and meets ROLLBACK_COMPLETE, UPDATE_ROLLBACK_COMPLETE and DELETE_FAILED as on AWS.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

_STEP_S = 0.02
_WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_SUB = re.compile(r"\$\{([A-Za-z0-9]+)")
_lock = threading.RLock()

Refuse = Callable[[str], str | None]


def install(refuse: Refuse) -> None:
    """Give moto's stacks this behaviour.

    Args:
        refuse: Called with a resource's logical id before it is made or changed; returns why it must fail, or None.
    """
    from moto.cloudformation import models

    from lambdamagic.local import stack_resources

    stack_resources.complete_moto()
    stack, backend = models.Stack, models.CloudFormationBackend
    parsed_outputs = stack.outputs.fget

    def create_resources(self: Any) -> None:
        self.status = "CREATE_IN_PROGRESS"
        _in_background(self, lambda: _create(self, refuse))

    def update(
        self: Any, template: str, role_arn: Any = None, parameters: Any = None, tags: dict[str, str] | None = None
    ) -> None:
        _refuse_if_busy(self)
        self._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
        self.status = "UPDATE_IN_PROGRESS"
        if tags is not None:
            self.tags = tags
        _in_background(self, lambda: _update(self, template, parameters or {}, refuse))

    def delete_stack(self: Any, name_or_stack_id: str) -> None:
        for found in list(self.stacks.values()):
            if name_or_stack_id in (found.name, found.stack_id):
                _refuse_if_busy(found)
                found._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
                found.status = "DELETE_IN_PROGRESS"
                _in_background(found, partial(_delete, self, found))

    # While resources are being made, looking at a stack must not make them: moto's map does.
    stack.outputs = property(lambda self: parsed_outputs(self) if self.status in _WHOLE else None)
    stack.stack_resources = property(lambda self: [made for _, made in _made(self)])
    stack.create_resources, stack.update, backend.delete_stack = create_resources, update, delete_stack


def _in_background(stack: Any, work: Callable[[], None]) -> None:
    def guarded() -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - a mistake here must end the work, or who waits for it waits for ever
            traceback.print_exc()
            _end(stack, stack.status.replace("IN_PROGRESS", "FAILED"))

    threading.Thread(target=guarded, name=f"stack-{stack.name}", daemon=True).start()


def _refuse_if_busy(stack: Any) -> None:
    if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        from moto.cloudformation.exceptions import ValidationError

        text = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
        raise ValidationError(stack.stack_id, message=text)


def _made(stack: Any) -> Iterator[tuple[str, Any]]:
    parsed = stack.resource_map._parsed_resources
    for name in list(stack.resource_map._resource_json_map):
        if parsed.get(name) is not None:
            yield name, parsed[name]


def _event(stack: Any, name: str, status: str, *, reason: str | None = None) -> None:
    from moto.cloudformation.models import Event

    if name == stack.name:
        stack._add_stack_event(status, resource_status_reason=reason)
        return
    made = stack.resource_map._parsed_resources.get(name)
    event = Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=name,
        physical_resource_id=getattr(made, "physical_resource_id", "") or "",
        resource_type=stack.resource_map._resource_json_map.get(name, {}).get("Type", ""),
        resource_status=status,
        resource_status_reason=reason,
        resource_properties=None,
    )
    stack.events.append(event)


def _step(stack: Any, name: str, doing: str, work: Callable[[], Any]) -> None:
    """Do one thing to one resource, with its events; raises what goes wrong."""
    _event(stack, name, f"{doing}_IN_PROGRESS")
    time.sleep(_STEP_S)  # AWS takes seconds; a client must be able to see that it is under way
    try:
        with _lock:
            work()
    except Exception as error:
        _event(stack, name, f"{doing}_FAILED", reason=_reason(error))
        raise
    _event(stack, name, f"{doing}_COMPLETE")


def _reason(error: Exception) -> str:
    return str(getattr(error, "message", "") or getattr(error, "description", "") or error)


def _create(stack: Any, refuse: Refuse) -> None:
    resources = stack.resource_map
    try:
        for name in _in_order(stack.template_dict["Resources"]):
            _step(stack, name, "CREATE", partial(_make, resources, name, refuse))
    except Exception:  # noqa: BLE001 - whatever moto raises for a resource is a failed resource, and told as its event
        stack._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason="A resource failed to create.")
        stack.status = "ROLLBACK_IN_PROGRESS"
        is_clean = _delete_resources(stack)
        _end(stack, "ROLLBACK_COMPLETE" if is_clean else "ROLLBACK_FAILED")
        return
    stack.description = stack.template_dict.get("Description")
    _end(stack, "CREATE_COMPLETE")


def _update(stack: Any, template: str, parameters: dict[str, Any], refuse: Refuse) -> None:
    before = copy.deepcopy(stack.template_dict), stack.template, dict(stack.parameters)
    old, was = before[0]["Resources"], set(before[2].items())
    resources = stack.resource_map
    stack.template = template
    stack._parse_template()
    new = stack.template_dict["Resources"]
    changed_parameters = {name for name, _ in set(parameters.items()) ^ was}
    _load(stack, parameters)
    added: list[str] = []
    changed: list[str] = []
    try:
        for name in _in_order(new):
            if name not in old:
                added.append(name)
                _step(stack, name, "CREATE", partial(_make, resources, name, refuse))
            elif new[name] != old[name] or changed_parameters & _references(new[name]):
                changed.append(name)
                _step(stack, name, "UPDATE", partial(_change, stack, name, new[name], refuse))
    except Exception:  # noqa: BLE001 - as in _create
        stack._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", resource_status_reason="A resource failed to update.")
        stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        for name in reversed(added):
            _take_away(stack, name)
        stack.template = before[1]
        stack._parse_template()
        _load(stack, before[2])
        for name in reversed(changed):
            _step(stack, name, "UPDATE", partial(_change, stack, name, old[name], lambda _: None))
        _end(stack, "UPDATE_ROLLBACK_COMPLETE")
        return
    for name in reversed(_in_order(old)):
        if name not in new:
            resources._resource_json_map = {**new, name: old[name]}
            _take_away(stack, name)
    resources._resource_json_map = new
    stack.output_map = stack._create_output_map()
    _end(stack, "UPDATE_COMPLETE")


def _load(stack: Any, parameters: dict[str, Any]) -> None:
    resources = stack.resource_map
    resources._template = stack.template_dict
    resources._resource_json_map = stack.template_dict["Resources"]
    resources.input_parameters = stack.parameters = parameters
    resources.resolved_parameters = {}
    resources.load_parameters()
    resources.load_conditions()
    stack.output_map = stack._create_output_map()


def _make(resources: Any, name: str, refuse: Refuse) -> None:
    _raise_if_refused(name, refuse)
    resources[name]


def _change(stack: Any, name: str, body: dict[str, Any], refuse: Refuse) -> None:
    from moto.cloudformation.parsing import parse_and_update_resource

    _raise_if_refused(name, refuse)
    resources = stack.resource_map
    changed = parse_and_update_resource(
        name, copy.deepcopy(body), resources, account_id=stack.account_id, region_name=stack.region_name
    )
    if changed is not None:
        resources._parsed_resources[name] = changed


def _raise_if_refused(name: str, refuse: Refuse) -> None:
    reason = refuse(name)
    if reason is not None:
        from lambdamagic.local.stack_resources import ResourceFailed

        raise ResourceFailed(reason)


def _delete(backend: Any, stack: Any) -> None:
    if not _delete_resources(stack):
        _end(stack, "DELETE_FAILED")
        return
    with _lock:
        backend.stacks.pop(stack.stack_id, None)
        backend.deleted_stacks[stack.stack_id] = stack
    _end(stack, "DELETE_COMPLETE")


def _delete_resources(stack: Any) -> bool:
    """Delete what is there; return whether all of it could be."""
    order = _in_order(stack.resource_map._resource_json_map)
    done = [_take_away(stack, name) for name in reversed(order)]  # all of them, whatever becomes of one
    return all(done)


def _take_away(stack: Any, name: str) -> bool:
    resources = stack.resource_map
    made = resources._parsed_resources.get(name)
    if made is None:
        return True
    try:
        _step(stack, name, "DELETE", lambda: resources._delete_resource(made, resources._resource_json_map[name]))
    except Exception as error:  # noqa: BLE001 - as in _create
        if type(error).__name__ not in ("UnknownFunctionException", "ResourceNotFoundException", "NotFoundException"):
            return False  # what somebody else has deleted already is no failure
    resources._parsed_resources.pop(name, None)
    return True


def _end(stack: Any, status: str) -> None:
    stack._add_stack_event(status)
    stack.status = status


def _in_order(resources: dict[str, Any]) -> list[str]:
    """Return resources so that each stands behind those that it needs."""
    done: list[str] = []

    def visit(name: str, on_the_way: tuple[str, ...]) -> None:
        if name in done or name in on_the_way:
            return
        needs = resources[name].get("DependsOn", [])
        for other in [*([needs] if isinstance(needs, str) else needs), *sorted(_references(resources[name]))]:
            if other in resources and other != name:
                visit(other, (*on_the_way, name))
        done.append(name)

    for name in resources:
        visit(name, ())
    return done


def _references(value: Any) -> set[str]:
    """Return the names that Ref, Fn::GetAtt and Fn::Sub name anywhere in a value."""
    if isinstance(value, list):
        return {name for item in value for name in _references(item)}
    if not isinstance(value, dict):
        return set()
    found = {name for item in value.values() for name in _references(item)}
    if isinstance(value.get("Ref"), str):
        found.add(value["Ref"])
    attribute = value.get("Fn::GetAtt")
    if attribute:
        found.add(attribute[0] if isinstance(attribute, list) else str(attribute).partition(".")[0])
    if "Fn::Sub" in value:
        found |= set(_SUB.findall(json.dumps(value["Fn::Sub"])))
    return found
