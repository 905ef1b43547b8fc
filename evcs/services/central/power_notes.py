"""What is known of the power of who begins alone, kept in the ledger: no restart forgets it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from evcs.core.cp_record import CpRecord
from evcs.core.placement import OCPP
from evcs.core.power import LASTING, PowerFault
from evcs.core.units import MAX_POWER_W
from evcs.services.central.ledger_writer import LedgerWriter

#: Of what is noted in the ledger, by CP.
KEY = "power/"
#: The default in W, and the fault.
Note = tuple[int | None, PowerFault | None]
NOTHING: Note = (None, None)


class PowerNotes:
    """The default that a charger has confirmed last, and whether it refuses or does not obey."""

    def __init__(self, writer: LedgerWriter, noted: Mapping[str, str]) -> None:
        self._writer = writer
        self._noted = {
            key.removeprefix(KEY): _read(text) for key, text in noted.items() if key.startswith(KEY)
        }

    def __iter__(self) -> Iterator[str]:
        return iter([*self._noted])

    def restored(self, record: CpRecord) -> CpRecord:
        """With what was noted of it, unless a ledger of another's making has something else."""
        fallback_said_w, fault = self._noted[record.cp]
        return record._replace(fallback_said_w=fallback_said_w, power_fault=fault)

    def keep(self, cps: Iterable[str], records: Mapping[str, CpRecord]) -> None:
        """Have noted what has changed; of who is gone or in no circuit nothing is kept."""
        for cp in {*cps, *self._noted}:
            note = _note(records.get(cp))
            if note == self._noted.get(cp, NOTHING):
                continue
            if note == NOTHING:
                del self._noted[cp]
                self._writer.note(KEY + cp, None)
            else:
                self._noted[cp] = note
                self._writer.note(KEY + cp, json.dumps(note))


def _note(record: CpRecord | None) -> Note:
    if record is None:
        return NOTHING
    lasts = record.power_fault in LASTING and record.hosting in (OCPP, None)
    return record.fallback_said_w, record.power_fault if lasts else None


def _read(text: str) -> Note:
    """What was noted, unless a ledger of another's making has something else."""
    try:
        fallback_said_w, fault = json.loads(text)
        known = None if fault is None else PowerFault(fault)
    except (TypeError, ValueError, RecursionError):
        return NOTHING
    is_power = type(fallback_said_w) is int and 0 <= fallback_said_w <= MAX_POWER_W
    return fallback_said_w if is_power else None, known
