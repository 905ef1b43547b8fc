"""Changes of drivers in a batch: their accounts and their cards."""

from __future__ import annotations

from evcs.core import audit, desired
from evcs.core.errors import Conflict, NotFound
from evcs.core.ids import same
from evcs.core.messages import DesiredDriver
from evcs.core.ocpp.masking import masked_tag
from evcs.services.registry.changes import Batch


def add(batch: Batch, given: object) -> DesiredDriver:
    """A driver's account."""
    driver = desired.driver_id(given)
    taken = {same(name): name for name in (*batch.committed_drivers, *batch.drivers)}
    if same(driver) in taken:
        raise Conflict(f"driver {taken[same(driver)]} exists already", "choose another id")
    batch.drivers[driver] = made = DesiredDriver(driver, driver)
    batch.drivers_made.append(driver)
    batch.tell(audit.Change(batch.who, audit.DRIVER_ADDED, None, driver))
    return made


def tag(batch: Batch, driver: str, given: object) -> DesiredDriver:
    """Cards of a driver, more or fewer; of each the audit has so much that its owner knows it.

    That is in its outcome: the detail is the driver's name alone, so that it can be forgotten.
    """
    before = _there(batch, driver)
    change = desired.tag_change(given)
    owners = {
        same(tag): one.id
        for one in {**batch.committed_drivers, **batch.drivers}.values()
        if one.id not in batch.drivers_gone
        for tag in one.tags
    }
    if any(owners.get(same(tag), driver) != driver for tag in change.add):
        raise Conflict("that tag is another driver's", "remove it there first")
    if any(owners.get(same(tag)) != driver for tag in change.remove):
        raise NotFound(f"driver {driver} has no such tag", f"see: evcs driver tag {driver} list")
    after = before._replace(tags=change.applied(before.tags))
    if after != before:
        batch.drivers[driver] = after
        told = [f"{masked_tag(one)} added" for one in after.tags if one not in before.tags]
        told += [f"{masked_tag(one)} removed" for one in before.tags if one not in after.tags]
        outcome = ", ".join(told)
        batch.tell(audit.Change(batch.who, audit.DRIVER_TAGGED, None, driver, outcome))
    return after


def remove(batch: Batch, driver: str) -> None:
    """The account alone; what the driver charged stays."""
    _there(batch, driver)
    batch.drivers.pop(driver, None)
    batch.drivers_gone.append(driver)
    batch.tell(audit.Change(batch.who, audit.DRIVER_REMOVED, None, driver))


def _there(batch: Batch, driver: str) -> DesiredDriver:
    """One that is committed: what is made in this batch is nobody's to change yet."""
    found = batch.committed_drivers.get(driver)
    if found is None or driver in batch.drivers_gone:
        raise NotFound(f"no driver {driver}", "list them with: evcs driver list")
    return batch.drivers.get(driver, found)
