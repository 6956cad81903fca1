"""What an agent's folder says is to be run: spec.json, checked field by field."""

import json
from typing import Any

from controlroom.runner import folder
from controlroom.runner.outcome import Unfit
from controlroom.text.checks import CheckOrder
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.names import agent_name_problem
from controlroom.text.states import KINDS, AgentKind
from controlroom.wire.records import FORMAT
from controlroom.wire.spec import AgentSpec, Credential


class Order(NamedTuple):
    """The whole of spec.json: who the agent is and how to run it. `started`: when it was asked for, UTC ms."""

    name: str
    epoch: int
    namespace: str
    started: int
    spec: AgentSpec
    tmux: str = ""
    """The path of the tmux that its session is in."""
    grant: int = 0
    """The number of the grant that it is started with (grant.json); 0: none."""
    key: str = ""
    """The public key of its room; "": an older room's, whose orders have no signature."""
    owner: str = ""
    """Its room and its host, which its orders are signed for; "": an older room's, which are signed for any host."""

    @property
    def tag(self) -> str:
        """The value of the variable that marks all its processes."""
        return folder.tag(self.namespace, self.name, self.epoch)


def read_order(data: bytes) -> Order:
    """Read spec.json. Raises `Unfit` naming the field that does not fit, or a format newer than ours."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"spec.json is not JSON: {str(error)[:100]}") from None
    if not isinstance(value, dict):
        raise Unfit("spec.json is not a JSON object")
    if value.get("format") != FORMAT:
        raise Unfit(f"spec.json has format {ascii(value.get('format'))[:20]}, this runner reads {FORMAT}")
    if problem := agent_name_problem(value.get("name")):
        raise Unfit(f"spec.json: {problem}")
    return Order(
        value["name"],
        _fitting("epoch", value.get("epoch"), 0),
        _fitting("namespace", value.get("namespace", ""), ""),
        _fitting("started", value.get("started", 0), 0),
        _spec(value.get("spec")),
        _fitting("tmux", value.get("tmux", ""), ""),
        _fitting("grant", value.get("grant", 0), 0),
        _fitting("key", value.get("key", ""), ""),
        _fitting("owner", value.get("owner", ""), ""),
    )


def _spec(value: Any) -> AgentSpec:
    fields = _fields(AgentSpec._field_defaults, value, "spec")
    credential = _fields(Credential._field_defaults, fields.pop("credential", {}), "credential")
    checks = _checks(fields.pop("checks", {}))
    spec = AgentSpec(credential=Credential(**credential), checks=checks, **fields)
    if spec.kind not in KINDS:
        raise Unfit(f"spec.json: there is no kind {ascii(spec.kind)[:40]}: {', '.join(KINDS)}")
    if spec.kind == AgentKind.COMMAND and not spec.command:
        raise Unfit("spec.json: kind command needs a command")
    return spec


def _checks(value: Any) -> CheckOrder:
    commands = value.pop("commands", []) if isinstance(value, dict) else []
    if not isinstance(commands, list) or not all(isinstance(command, list) and command for command in commands):
        raise Unfit("spec.json: checks.commands does not fit: it is a list of commands, each word by word")
    words = tuple(_fitting("checks.commands", command, ()) for command in commands)
    return CheckOrder(words, **_fields(CheckOrder._field_defaults, value, "checks"))


def _fields(defaults: dict[str, Any], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unfit(f"spec.json: {where} is not an object")
    present = {name: default for name, default in defaults.items() if name in value}
    return {name: _fitting(f"{where}.{name}", value[name], default) for name, default in present.items()}


def _fitting(name: str, value: Any, default: Any) -> Any:
    """Return `value` as the type of `default`, or say that it does not fit."""
    if isinstance(default, (Credential, CheckOrder)):
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if type(value) is not type(default) or isinstance(value, tuple):
        raise Unfit(f"spec.json: {name} does not fit: {ascii(value)[:60]}")
    if isinstance(value, dict) and not all(isinstance(item, str) for pair in value.items() for item in pair):
        raise Unfit(f"spec.json: {name} holds something that is not text")
    return value
