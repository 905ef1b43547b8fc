"""`evcs-cp`: charging points, created, seen, changed, stopped, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from evcs.adapters.registry_http import error_from
from evcs.cli import (
    back_ends,
    certificate,
    chargers,
    cp_changes,
    cp_views,
    entry,
    fleet_files,
    identities,
    simulate,
    versions,
)
from evcs.cli.common import CommandContext, command
from evcs.cli.cp_names import chosen, pick, select
from evcs.cli.operator import ask_of_each, make_way
from evcs.cli.options import (
    at_location,
    confirm_deletion,
    named,
    named_or_all,
    of_charger,
    of_cp,
    waiting,
    when_free,
)
from evcs.core import audit, units
from evcs.core.errors import BadValue, Conflict, EvcsError, NotFound
from evcs.core.ids import check_id, expand
from evcs.core.placement import OCPP

program = entry.group(
    "evcs-cp",
    """Charging points (CPs): create, see, change, stop, delete.

    NAME is a CP, a glob ('CP-*') or a range ('CP-{001..040}').

    Examples:
      evcs-cp create 'CP-{001..040}' --location 'Car park'
      evcs-cp list
      evcs-cp stop CP-001
    """,
    also={"start": "resume"},
)


def _to_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are given, as the Registry takes them."""
    found = {name: value for name, value in given.items() if value is not None}
    for name in ("host", "circuit"):
        if name in found:
            check_id(name, found[name])
    if "price_eur_kwh" in found:
        found["price_eur_kwh"] = str(units.price("--price-eur-kwh", found["price_eur_kwh"]))
    if "max_power_kw" in found:
        power_kw = found.pop("max_power_kw")
        found["max_power_w"] = units.thousands("--max-power-kw", power_kw, units.MAX_POWER_W)
    return found


@command(program)
@click.argument("patterns", nargs=-1, required=True, metavar="NAME|PATTERN...")
@of_cp
@of_charger
@back_ends.of_back_end
@click.option("--if-not-exists", is_flag=True, help="An existing CP is well, and left as it is.")
@waiting
def create(
    ctx: CommandContext, patterns: tuple[str, ...], if_not_exists: bool, wait: bool, timeout: float,
    backend: str | None, ocpp: str | None, token: str | None, ocpp_password_file: Path | None,
    backend_ca: Path | None, backend_certificate: Path | None, **given: Any,
) -> None:  # fmt: skip
    """Create CPs: CP-001, or a range 'CP-{001..100}'.

    With --hosting ocpp a CP is a real charger, which dials in: see evcs-cp connect. With --backend
    it is itself a charger of another back end, which alone says who charges.

    Examples:
      evcs-cp create CP-001 --location 'Car park' --price-eur-kwh 0.31
      evcs-cp create 'CP-{002..040}'
      evcs-cp create WALLBOX --hosting ocpp
      evcs-cp create OUT-1 --backend wss://example.org/ocpp/{id}
    """
    found = _to_fields(given) | back_ends.fields(
        {"backend": backend, "ocpp": ocpp, "token": token},
        {
            "ocpp_password": ocpp_password_file, "backend_ca": backend_ca,
            "backend_certificate": backend_certificate,
        },
    )  # fmt: skip
    names = [check_id("CP", name) for pattern in patterns for name in expand(pattern)]
    if len({name.casefold() for name in names}) < len(names):
        raise BadValue("a CP is named twice", "ids are unique whatever their case")
    answers = ctx.registry.create_many([{"id": name, **found} for name in names])
    made: list[dict[str, Any]] = []
    errors: dict[str, EvcsError] = {}
    for name, answer in zip(names, answers, strict=True):
        if "error" not in answer:
            made.append(answer)
            continue
        errors[name] = error_from(answer)
        if if_not_exists and type(errors[name]) is Conflict:
            with suppress(NotFound):  # the one that exists is called CP-001, this one cp-001
                made.append(ctx.registry.cp(name))
                del errors[name]
        elif errors[name].message.startswith(f"CP {name} exists already"):
            errors[name].hint = "or leave it as it is: --if-not-exists"
    cp_changes.wait_and_finish(ctx, made, errors, cp_changes.judged, wait, timeout)


@command(program)
@named_or_all
@of_cp
@click.option("--no-circuit", is_flag=True, help="It shares no cable.")
@when_free
@waiting
def edit(
    ctx: CommandContext, names: tuple[str, ...], everyone: bool, no_circuit: bool, when_free: bool,
    wait: bool, timeout: float, **given: Any,
) -> None:  # fmt: skip
    """Change price, power, location, hosting, host or circuit.

    A session under way keeps its price. A CP that charges a car changes hosting after that; for
    another host its charge is ended first, or waited for.

    Examples:
      evcs-cp edit CP-001 --price-eur-kwh 0.35
      evcs-cp edit 'CP-{001..005}' --max-power-kw 11
      evcs-cp edit --all --price-eur-kwh 0.40
      evcs-cp edit CP-001 --host h2 --when-free
    """
    found = _to_fields(given)
    if "circuit" in found and no_circuit:
        raise BadValue("--circuit and --no-circuit at once", "give one of the two")
    if no_circuit:
        found["circuit"] = None
    if not found:
        raise BadValue("nothing to change", "see: evcs-cp edit -h")
    if when_free and "host" not in found:
        raise BadValue("--when-free goes with --host", "a change of hosting waits by itself")
    moves = "host" in found and not when_free
    before = {cp["id"]: cp for cp in chosen(ctx, names, everyone)}
    _change(ctx, list(before), found, cp_changes.arrived, wait, timeout, moves, before)


def _change(
    ctx: CommandContext, ids: list[str], given: dict[str, Any],
    goal: Callable[[dict[str, Any]], cp_changes.Goal], wait: bool, timeout: float,
    moves: bool = False, before: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:  # fmt: skip
    """`before`: their records, where what was changed is to be said."""
    results = cp_changes.each(ids, lambda cp: ctx.registry.edit(cp, given))
    if before is not None:
        for cp, record in results.made.items():
            record["changed"] = audit.told(before[cp], record)
    if "service" in given:
        results = chargers.made_of_it(results, partial(chargers.serves, ctx), "charger", wait)
    made = list(results.made.values())
    revoked = [cp["id"] for cp in made if cp["revoked"]]
    if revoked and given.get("service") == "in":
        some = " ".join(revoked)
        ctx.out.say(f"revoked, so in service only with new secrets: evcs-cp rekey {some}")
    if moves:
        make_way(ctx, made)
    cp_changes.wait_and_finish(ctx, made, results.errors, goal, wait, timeout)


@command(program)
@named
@click.option("--yes", is_flag=True, help="Don't ask.")
@waiting
def delete(
    ctx: CommandContext, names: tuple[str, ...], yes: bool, wait: bool, timeout: float
) -> None:
    """Delete CPs, with their identities; their tickets stay.

    Examples:
      evcs-cp delete CP-001
      evcs-cp delete 'TEST-*' --yes
    """
    ids = pick(ctx, names)
    if not yes and len(ids) > 1:
        confirm_deletion(len(ids), "nothing was deleted")
    for cp in back_ends.away(ctx, ids):
        ctx.out.say(f"{cp}: its back end is away; what that has not been told goes with the CP")
    results = cp_changes.each(ids, ctx.registry.delete)
    gone, errors = list(results.made), results.errors
    if wait and gone:
        errors.update(cp_changes.await_gone(ctx, gone, timeout))
    rows = [{"id": cp, "done": "deleted" if wait else "being deleted"} for cp in gone]
    cp_changes.finish(ctx, [row for row in rows if row["id"] not in errors], errors)


@command(program)
@named_or_all
@at_location
@waiting
def stop(
    ctx: CommandContext, names: tuple[str, ...], everyone: bool, location: str | None, wait: bool,
    timeout: float,
) -> None:  # fmt: skip
    """Take CPs out of service; a charge ends with its ticket.

    They stay out of service across restarts, until resume.

    Examples:
      evcs-cp stop CP-001
      evcs-cp stop --location 'North gate'
      evcs-cp stop --all
    """
    ids = select(ctx, names, everyone, location)
    _change(ctx, ids, {"service": "out"}, cp_changes.judged, wait, timeout)


@command(program)
@named_or_all
@at_location
@waiting
def resume(
    ctx: CommandContext, names: tuple[str, ...], everyone: bool, location: str | None, wait: bool,
    timeout: float,
) -> None:  # fmt: skip
    """Put CPs back into service.

    Examples:
      evcs-cp resume CP-001
      evcs-cp resume --location 'North gate'
      evcs-cp resume --all
    """
    ids = select(ctx, names, everyone, location)
    _change(ctx, ids, {"service": "in"}, cp_changes.judged, wait, timeout)


@command(program)
@named
@waiting
def restart(ctx: CommandContext, names: tuple[str, ...], wait: bool, timeout: float) -> None:
    """Restart CPs' processes; a charge goes on afterwards.

    A real charger is reset.

    Examples:
      evcs-cp restart CP-001
    """
    found = cp_changes.read(ctx, pick(ctx, names))
    before = {one["id"]: one["since"] for one in found}
    results = cp_changes.outcome(ask_of_each(ctx, "restart", list(before)))

    def anew(cp: dict[str, Any]) -> cp_changes.Goal:
        goal = cp_changes.judged(cp)
        if cp["hosting"] == OCPP:
            return goal
        return goal._replace(done=lambda s: goal.done(s) and s.since != before[cp["id"]])

    made = [ctx.registry.cp(cp) for cp in results.made]
    versions.warn(ctx)
    cp_changes.wait_and_finish(ctx, made, results.errors, anew, wait, timeout, "restarted")


cp_views.add_to(program)
simulate.add_to(program)
fleet_files.add_to(program)
identities.add_to(program)
chargers.add_to(program)
certificate.add_to(program)
back_ends.add_to(program)


def main() -> None:
    """The program."""
    entry.main(program)


if __name__ == "__main__":
    main()
