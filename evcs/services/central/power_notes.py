"""What is known of the power of who begins alone, kept in the ledger: no restart forgets it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from evcs.core.cp_record import CpRecord
from evcs.core.placement import OCPP
from evcs.core.power import LASTING, PowerFault
from evcs.services.central.ledger_writer import LedgerWriter

#: Of what is noted in the ledger, by CP.
KEY = "power/"


class PowerNotes:
    """The default that a charger has confirmed last, and whether it refuses or does not obey."""

    def __init__(self, writer: LedgerWriter, noted: Mapping[str, str]) -> None:
        self._writer = writer
        self._noted = {
            key.removeprefix(KEY): text for key, text in noted.items() if key.startswith(KEY)
        }

    def __iter__(self) -> Iterator[str]:
        return iter([*self._noted])

    def restored(self, record: CpRecord) -> CpRecord:
        """With what was noted of it, unless a ledger of another's making has something else."""
        try:
            default_w, fault = json.loads(self._noted[record.cp])
            known = None if fault is None else PowerFault(fault)
        except (TypeError, ValueError):
            return record
        return record._replace(
            default_w=default_w if type(default_w) is int else None, power_fault=known
        )

    def keep(self, cps: Iterable[str], records: Mapping[str, CpRecord]) -> None:
        """Have noted what has changed; of who is gone or in no circuit nothing is kept."""
        for cp in {*cps, *self._noted}:
            text = _text(records.get(cp))
            if text != self._noted.get(cp):
                self._writer.note(KEY + cp, text)
                if text is None:
                    del self._noted[cp]
                else:
                    self._noted[cp] = text


def _text(record: CpRecord | None) -> str | None:
    if record is None:
        return None
    lasts = record.power_fault in LASTING and record.hosting in (OCPP, None)
    fault = record.power_fault if lasts else None
    return json.dumps([record.default_w, fault]) if record.default_w is not None or fault else None
