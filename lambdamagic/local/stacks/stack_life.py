"""CloudFormation as it behaves: resource by resource, with events, in the background, and back again on failure.

moto makes a whole stack while it answers the request, knows no rollback, and makes what is missing whenever a client
looks. Here a separate thread does one resource after the other, so that a client sees IN_PROGRESS, can be killed
in between, and meets ROLLBACK_COMPLETE, UPDATE_ROLLBACK_COMPLETE and DELETE_FAILED as on AWS.
"""

from __future__ import annotations

import contextvars
import copy
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from lambdamagic.local.control.moto_patches import put
from lambdamagic.local.stacks.stack_order import in_order, references
from lambdamagic.local.stacks.stack_steps import LOCK, Refuse, change, make, take_away

_WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def install(refuse: Refuse) -> None:
    """Install this behavior in moto's stacks.

    Args:
        refuse: Called with a resource's logical id and `CREATE`, `UPDATE` or `DELETE` before that is done; returns why
            it must fail, or None.
    """
    from moto.core.responses import ActionResult

    from lambdamagic.local.stacks import stack_resources, stack_versions  # noqa: F401  # moto finds its classes

    stack_resources.complete_moto()
    stack, stacks = "moto.cloudformation.models:Stack", "moto.cloudformation.models:CloudFormationBackend"

    def create_stack(self: Any, *args: Any, **kwargs: Any) -> Any:
        with LOCK:  # moto looks whether the name is taken, reads the template, and only then keeps the stack
            return made_by_moto(self, *args, **kwargs)

    def create_resources(self: Any) -> None:
        self.status = "CREATE_IN_PROGRESS"
        _in_background(self, lambda: _create(self, refuse))

    def update(
        self: Any, template: str, role_arn: Any = None, parameters: Any = None, tags: dict[str, str] | None = None
    ) -> None:
        _begin(self, "UPDATE_IN_PROGRESS")
        if tags is not None:
            self.tags = tags
        _in_background(self, lambda: _update(self, template, parameters or {}, refuse))

    def delete_stack(self: Any, name_or_stack_id: str) -> None:
        for found in list(self.stacks.values()):
            if name_or_stack_id in (found.name, found.stack_id):
                _begin(found, "DELETE_IN_PROGRESS")
                _in_background(found, partial(_delete, self, found, refuse))

    def continue_update_rollback(self: Any) -> Any:
        found = self.cloudformation_backend.get_stack(self._get_param("StackName"))
        with LOCK:
            unfinished = getattr(found, "unfinished_rollback", None)
            if found.status != "UPDATE_ROLLBACK_FAILED" or unfinished is None:
                from moto.cloudformation.exceptions import ValidationError

                raise ValidationError(found.stack_id, message=f"Stack:{found.stack_id} is in {found.status} state")
            _begin(found, "UPDATE_ROLLBACK_IN_PROGRESS")
        _in_background(found, lambda: _roll_back(found, unfinished, refuse))
        return ActionResult({})

    put("moto.cloudformation.responses:CloudFormationResponse.continue_update_rollback", continue_update_rollback)
    # While resources are being made, looking at a stack must not make them: moto's map does.
    parsed = put(f"{stack}.outputs", property(lambda self: parsed.fget(self) if self.status in _WHOLE else None))
    put(f"{stack}.stack_resources", property(lambda self: [made for _, made in _made(self)]))
    put(f"{stack}.create_resources", create_resources)
    put(f"{stack}.update", update)
    made_by_moto = put(f"{stacks}.create_stack", create_stack)
    put(f"{stacks}.delete_stack", delete_stack)


def _in_background(stack: Any, work: Callable[[], None]) -> None:
    def guarded() -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - a mistake here must end the work, or who waits for it waits for ever
            traceback.print_exc()
            _end(stack, stack.status.replace("IN_PROGRESS", "FAILED"))

    in_callers_name = partial(contextvars.copy_context().run, guarded)
    threading.Thread(target=in_callers_name, name=f"stack-{stack.name}", daemon=True).start()


def _begin(stack: Any, status: str) -> None:
    """Let a stack be in a status from now on, unless it is busy: of two that ask at once one is refused."""
    with LOCK:
        if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
            from moto.cloudformation.exceptions import ValidationError

            text = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
            raise ValidationError(stack.stack_id, message=text)
        stack._add_stack_event(status, resource_status_reason="User Initiated")
        stack.status = status


def _made(stack: Any) -> Iterator[tuple[str, Any]]:
    parsed = stack.resource_map._parsed_resources
    for name in list(stack.resource_map._resource_json_map):
        if parsed.get(name) is not None:
            yield name, parsed[name]


@dataclass(frozen=True)
class _Rollback:
    """What an update that failed has to undo: the template and parameters from before, and what it had begun with."""

    resources: dict[str, Any]
    template: str
    parameters: dict[str, Any]
    added: list[str]
    changed: list[str]


def _create(stack: Any, refuse: Refuse) -> None:
    try:
        for name in in_order(stack.template_dict["Resources"]):
            make(stack, name, refuse)
    except Exception:  # noqa: BLE001 - whatever moto raises for a resource is a failed resource, and reported as its event
        stack._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason="A resource failed to create.")
        stack.status = "ROLLBACK_IN_PROGRESS"
        is_clean = _delete_resources(stack, refuse)
        _end(stack, "ROLLBACK_COMPLETE" if is_clean else "ROLLBACK_FAILED")
        return
    stack.description = stack.template_dict.get("Description")
    _end(stack, "CREATE_COMPLETE")


def _update(stack: Any, template: str, parameters: dict[str, Any], refuse: Refuse) -> None:
    old = copy.deepcopy(stack.template_dict)["Resources"]
    before = _Rollback(old, stack.template, dict(stack.parameters), [], [])
    resources = stack.resource_map
    stack.template = template
    stack._parse_template()
    new = stack.template_dict["Resources"]
    changed_parameters = {name for name, _ in set(parameters.items()) ^ set(before.parameters.items())}
    replaced: set[str] = set()  # what refers to these changes too
    _load(stack, parameters)
    try:
        for name in in_order(new):
            if name not in old:
                before.added.append(name)
                make(stack, name, refuse)
            elif new[name] != old[name] or (changed_parameters | replaced) & references(new[name]):
                before.changed.append(name)
                if change(stack, name, new[name], refuse):
                    replaced.add(name)
    except Exception:  # noqa: BLE001 - as in _create
        stack._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", resource_status_reason="A resource failed to update.")
        stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        for name in reversed(before.added):
            take_away(stack, name, refuse)
        stack.template = before.template
        stack._parse_template()
        _load(stack, before.parameters)
        _roll_back(stack, before, refuse)
        return
    for name in reversed(in_order(old)):
        if name not in new:
            resources._resource_json_map = {**new, name: old[name]}
            take_away(stack, name, refuse)
    resources._resource_json_map = new
    _remove_replaced(stack)
    stack.output_map = stack._create_output_map()
    _end(stack, "UPDATE_COMPLETE")


def _roll_back(stack: Any, before: _Rollback, refuse: Refuse) -> None:
    """Change back what an update changed, if need be in several attempts (ContinueUpdateRollback)."""
    try:
        for name in before.changed:
            change(stack, name, before.resources[name], refuse)
    except Exception:  # noqa: BLE001 - as in _create
        stack.unfinished_rollback = before
        _end(stack, "UPDATE_ROLLBACK_FAILED")
        return
    _remove_replaced(stack)
    stack.unfinished_rollback = None
    _end(stack, "UPDATE_ROLLBACK_COMPLETE")


def _remove_replaced(stack: Any) -> None:
    from lambdamagic.local.stacks.stack_versions import remove_replaced

    remove_replaced(stack.resource_map, stack.account_id, stack.region_name)


def _load(stack: Any, parameters: dict[str, Any]) -> None:
    resources = stack.resource_map
    resources._template = stack.template_dict
    resources._resource_json_map = stack.template_dict["Resources"]
    resources.input_parameters = stack.parameters = parameters
    # Aside, since moto's are without a value until all are read, and a client may look at the stack meanwhile.
    loading = copy.copy(resources)
    loading.resolved_parameters = {}
    loading.load_parameters()
    resources.resolved_parameters = loading.resolved_parameters
    resources.no_echo_parameter_keys = loading.no_echo_parameter_keys
    resources.load_conditions()
    stack.output_map = stack._create_output_map()


def _delete(backend: Any, stack: Any, refuse: Refuse) -> None:
    if not _delete_resources(stack, refuse):
        _end(stack, "DELETE_FAILED")
        return
    with LOCK:
        backend.stacks.pop(stack.stack_id, None)
        backend.deleted_stacks[stack.stack_id] = stack
    _end(stack, "DELETE_COMPLETE")


def _delete_resources(stack: Any, refuse: Refuse) -> bool:
    """Delete the existing resources; return whether all could be deleted."""
    order = in_order(stack.resource_map._resource_json_map)
    done = [take_away(stack, name, refuse) for name in reversed(order)]  # all of them, even if one fails
    return all(done)


def _end(stack: Any, status: str) -> None:
    stack._add_stack_event(status)
    stack.status = status
