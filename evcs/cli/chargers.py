"""`evcs-cp connect, ocpp, reset, …`: real chargers, how they dial in and what they are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from evcs.adapters.secret_files import SecretFiles
from evcs.cli import cp_changes
from evcs.cli.common import CommandContext, command
from evcs.cli.cp_names import pick
from evcs.cli.operator import ask_operator
from evcs.cli.options import known_cps
from evcs.core import stations
from evcs.core.errors import BadValue, Conflict, Unreachable
from evcs.core.identities import of_next, of_station
from evcs.core.ocpp.masking import carries_key
from evcs.core.placement import OCPP

#: A gateway that is there has answered by then, or Central has for it.
ANSWER_WITHIN_S = 45.0
#: A charger's words for what it does, now or later.
TAKEN = frozenset({"Accepted", "Scheduled", "RebootRequired", "Unlocked"})

#: What has become of a charger's new password, by the gateway's word or the charger's.
SAID = {
    "taken": "its charger has its new password",
    "waits": "its charger is away, and is told its new password when it next dials in; until then "
    "the one before is good, too",
    "certificate": "its charger dials in by its certificate, which counts until it has another: "
    "evcs-cp certificate",
    "new": "its new password is to be typed into its charger: evcs-cp connect",
    "RebootRequired": "its charger has its new password after a restart: evcs-cp reset; until then "
    "the one before is good, too",
}

_PAYLOAD = click.option(
    "--json", "as_json", is_flag=False, flag_value="", metavar="[JSON]", multiple=True,
    help="The whole payload; without a value, as everywhere, one JSON document on stdout.",
)  # fmt: skip


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs-cp`."""

    @command(program)
    @click.argument("name", shell_complete=known_cps)
    def connect(ctx: CommandContext, name: str) -> None:
        """Show what to type into a charger, to dial in as this CP.

        Examples:
          evcs-cp connect WALLBOX
        """
        cp = charger(ctx, name)
        secrets = SecretFiles(ctx.settings.home)
        password = newest_key(secrets, cp["station"])
        url = stations.dialled(ctx.settings.ocpp_url, cp["ocpp_id"])
        found = {"url": url, "user": cp["ocpp_id"], "password": password}
        rows = (
            ("URL", url),
            ("user", f"{cp['ocpp_id']} (the charger's identity)"),
            ("password", password),
            ("protocol", "OCPP-J 2.0.1 or 1.6, with Basic Auth"),
            ("connector", str(cp["connector"])),
        )
        ctx.out.data(found, [f"{what + ':':11}{value}" for what, value in rows])
        if password == secrets.find(of_next(cp["station"])):
            ctx.out.say(
                "no charger has dialled in with it yet: until then the one before is good, too"
            )
        if url.startswith("wss:"):
            ctx.out.say(f"the charger verifies the server by {ctx.settings.home.ca}: give it that")
        ctx.out.say("a charger that asks for the URL without its identity gets it without the end")

    _add_any_action(program)
    _add_orders(program)


def _add_any_action(program: click.Group) -> None:
    @command(program, json_flag=_PAYLOAD)
    @click.argument("name", shell_complete=known_cps)
    @click.argument("action")
    @click.argument("values", nargs=-1, metavar="[KEY=VALUE...]")
    def ocpp(
        ctx: CommandContext, name: str, action: str, values: tuple[str, ...], text: str
    ) -> None:
        """Send a charger any action of its OCPP version.

        Its answer is printed.

        Examples:
          evcs-cp ocpp WALLBOX Reset type=Soft
          evcs-cp ocpp WALLBOX Reset --json '{"type": "Soft"}'
        """
        _print(ctx, _ask(ctx, name, action=action, payload=_payload(values, text)))


def _add_orders(program: click.Group) -> None:
    """What is asked of a charger in words that are the same for each version."""

    @command(program)
    @click.argument("name", shell_complete=known_cps)
    @click.option("--hard", is_flag=True, help="At once, whatever it does.")
    def reset(ctx: CommandContext, name: str, hard: bool) -> None:
        """Have a charger start anew.

        Examples:
          evcs-cp reset WALLBOX --hard
        """
        _do(ctx, name, order="reset", hard=hard)

    @command(program)
    @click.argument("name", shell_complete=known_cps)
    def unlock(ctx: CommandContext, name: str) -> None:
        """Have a charger unlock the cable.

        Examples:
          evcs-cp unlock WALLBOX
        """
        _do(ctx, name, order="unlock")

    @command(program)
    @click.argument("name", shell_complete=known_cps)
    @click.argument("message")
    def trigger(ctx: CommandContext, name: str, message: str) -> None:
        """Have a charger send a message.

        Examples:
          evcs-cp trigger WALLBOX StatusNotification
        """
        _do(ctx, name, order="trigger", message=message)

    _add_configuration(program)


def _add_configuration(program: click.Group) -> None:
    @command(program)
    @click.argument("name", shell_complete=known_cps)
    @click.argument("verb", type=click.Choice(["get", "set"]), default="get")
    @click.argument("words", nargs=-1, metavar="[KEY...|KEY VALUE]")
    def configuration(ctx: CommandContext, name: str, verb: str, words: tuple[str, ...]) -> None:
        """Read a charger's configuration, or set a key of it.

        Examples:
          evcs-cp configuration WALLBOX
          evcs-cp configuration WALLBOX set HeartbeatInterval 300
        """
        if verb == "get":
            _print(ctx, _ask(ctx, name, order="get", keys=[*words]))
        elif len(words) != 2:
            raise BadValue("a key and a value are needed", "such as: set HeartbeatInterval 300")
        else:
            _do(ctx, name, order="set", key=words[0], value=words[1])


def _ask(ctx: CommandContext, name: str, **body: Any) -> dict[str, Any]:
    """The charger's answer to an action, or to an order, of which its gateway makes one."""
    cp = charger(ctx, name)["id"]
    if carries_key(body):  # all that is asked goes over the bus, where others read
        hint = f"a new one is made, and told to its charger, by: evcs-cp rekey {cp}"
        raise BadValue("a charger's password is not set by hand", hint)
    return ask_operator(ctx, "ocpp", cp, body=body, within_s=ANSWER_WITHIN_S)


def _print(ctx: CommandContext, answer: dict[str, Any]) -> None:
    ctx.out.data(answer, json.dumps(answer, indent=1, ensure_ascii=False).splitlines())


def _do(ctx: CommandContext, name: str, **body: Any) -> None:
    """An order that a charger takes or refuses. Raises Conflict with its own word."""
    found = _ask(ctx, name, **body)
    words = [one.get("attributeStatus") for one in found.get("setVariableResult", ())]
    word = str(words[0] if words else found.get("status"))
    if word not in TAKEN:
        raise Conflict(f"the charger answered {word}", f"see: evcs watch --ocpp {name}")
    ctx.out.done(found, [word])


def newest_key(secrets: SecretFiles, station: str) -> str:
    """What a charger is to dial in with."""
    return secrets.find(of_next(station)) or secrets.read(of_station(station))


def new_key(ctx: CommandContext, cp: dict[str, Any]) -> str:
    """What has become of the new password of a CP's charger. Raises Conflict where it says no."""
    return str(_confirm(ctx, cp, {}).get("key", "waits"))


def serves(ctx: CommandContext, cp: dict[str, Any]) -> str:
    """Whether a CP's charger has confirmed a stop or resume. Raises Conflict where it says no."""
    return str(_confirm(ctx, cp, {"revision": cp["revision"]}).get("charger", "away"))


def made_of_it(
    results: cp_changes.Results, ask: Callable[[dict[str, Any]], str], field: str, wait: bool
) -> cp_changes.Results:
    """With what the chargers among them have made of a change, in that field, or why not."""
    real = [cp for cp, one in results.made.items() if wait and one["hosting"] == OCPP]
    words = cp_changes.each(real, lambda cp: ask(results.made[cp]))
    made = {cp: {**one, field: words.made[cp]} if cp in words.made else one
            for cp, one in results.made.items() if cp not in words.errors}  # fmt: skip
    return cp_changes.Results(made, {**results.errors, **words.errors})


def _confirm(ctx: CommandContext, cp: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    try:
        return ask_operator(ctx, "confirm", cp["id"], body=body, within_s=ANSWER_WITHIN_S)
    except Unreachable:  # it is told once all are there again
        return {}


def charger(ctx: CommandContext, name: str) -> dict[str, Any]:
    """A CP that is a real charger. Raises NotFound, Conflict."""
    (name,) = pick(ctx, [name])
    cp = ctx.registry.cp(name)
    if cp["hosting"] != OCPP:
        raise Conflict(f"CP {name} is no real charger", "one is created with: --hosting ocpp")
    return cp


def _payload(values: tuple[str, ...], text: str) -> dict[str, Any]:
    """What is sent: JSON, or values, each as JSON where it is some, else as text."""
    if text and values:
        raise BadValue("KEY=VALUE and --json at once", "give one of the two")
    if not text:
        pairs = [value.partition("=") for value in values]
        if bad := [key + found for key, found, _ in pairs if not (key and found)]:
            raise BadValue(f"{bad[0][:40]!a} is no KEY=VALUE", "such as type=Soft")
        return {key: _value(value) for key, _, value in pairs}
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        raise BadValue("--json: that is no JSON", """such as '{"type": "Soft"}'""") from None
    if not isinstance(payload, dict):
        raise BadValue("--json: a JSON object is needed", """such as '{"type": "Soft"}'""")
    return payload


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
