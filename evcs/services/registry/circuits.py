"""Changes of circuits in a batch: each leaves a forest into which all CPs fit."""

from __future__ import annotations

from evcs.core import audit, desired
from evcs.core import circuits as core
from evcs.core.errors import Conflict, NotFound
from evcs.core.ids import same
from evcs.core.messages import Circuit
from evcs.services.registry.changes import Batch

SHOWN = 5


def add(batch: Batch, given: object) -> Circuit:
    """A circuit, of the fields that are given."""
    circuit = desired.new_circuit(given)
    taken = next((name for name in batch.circuits.now if same(name) == same(circuit.name)), None)
    if taken is not None:
        raise Conflict(f"circuit {taken} exists already", f"see it with: evcs circuit show {taken}")
    batch.put_circuits(
        {**batch.circuits.now, circuit.name: circuit}, _change(batch, "add", circuit)
    )
    return circuit


def edit(batch: Batch, name: str, given: object) -> Circuit:
    """Some of its fields."""
    before = _there(batch, name)
    after = desired.edited_circuit(before, given)
    if after != before:
        batch.put_circuits(
            {**batch.circuits.now, name: after}, _change(batch, "edit", after, before)
        )
    return after


def remove(batch: Batch, name: str) -> None:
    """One that nothing is below, those that are being deleted neither."""
    gone = _there(batch, name)
    below = [f"CP {cp.id}" for cp in batch.now().values() if cp.circuit == name]
    below += [f"circuit {one.name}" for one in batch.circuits.now.values() if one.parent == name]
    if below:
        more = f" and {len(below) - SHOWN} more" if len(below) > SHOWN else ""
        text = f"circuit {name} feeds {', '.join(sorted(below)[:SHOWN])}{more}"
        raise Conflict(text, "put them elsewhere first")
    left = {other: one for other, one in batch.circuits.now.items() if other != name}
    batch.put_circuits(left, _change(batch, "remove", gone))


def give_fallbacks(batch: Batch) -> None:
    """Once all is taken up: each CP has the fallback that fits its circuit then."""
    if not (batch.circuits.now or batch.circuits.gone):
        return
    now = batch.now()
    fallbacks = core.fallbacks(batch.circuits.now, now.values())
    for cp in now.values():
        fallback_w = fallbacks.get(cp.id)
        if cp.fallback_w == fallback_w:
            continue
        after = cp._replace(fallback_w=fallback_w)
        if cp.id in batch.cps:  # its change is this one's too
            batch.cps[cp.id] = after
        else:
            batch.keep(after)
            detail = f"{cp.fallback_w} -> {fallback_w} W"
            batch.made.append(audit.Change("registry", "fallback", cp.id, detail))


def _there(batch: Batch, name: str) -> Circuit:
    found = batch.circuits.now.get(name)
    if found is None:
        raise NotFound(f"no circuit {name[:40]!a}", core.LIST)
    return found


def _change(
    batch: Batch, verb: str, circuit: Circuit, before: Circuit | None = None
) -> audit.Change:
    detail = ", ".join([circuit.name, *audit.differences(before or circuit, circuit)])
    return audit.Change(batch.who, f"circuit {verb}", None, detail)
