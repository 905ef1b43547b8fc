"""A ledger as version 1 wrote it: its schema as it was, and some of everything in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
  session_id TEXT PRIMARY KEY, cp TEXT NOT NULL, driver TEXT NOT NULL,
  price_eur_kwh TEXT NOT NULL, requested_wh INTEGER NOT NULL, max_power_w INTEGER NOT NULL,
  started_at TEXT NOT NULL, phase TEXT NOT NULL, energy_wh INTEGER NOT NULL,
  seq INTEGER NOT NULL, power_w INTEGER NOT NULL, reason TEXT, ended_at TEXT, cost_eur TEXT,
  request_id TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_open ON session (cp) WHERE phase <> 'settled';
CREATE INDEX IF NOT EXISTS session_started ON session (started_at);
CREATE INDEX IF NOT EXISTS session_cp ON session (cp, started_at);
CREATE INDEX IF NOT EXISTS session_driver ON session (driver, started_at);
CREATE TRIGGER IF NOT EXISTS session_settled BEFORE UPDATE ON session
  WHEN OLD.phase = 'settled'
  BEGIN SELECT RAISE(ABORT, 'a settled session is never changed'); END;
CREATE TRIGGER IF NOT EXISTS session_kept BEFORE DELETE ON session
  WHEN OLD.phase <> 'requested'
  BEGIN SELECT RAISE(ABORT, 'a session is never deleted'); END;
CREATE TABLE IF NOT EXISTS audit (
  at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, cp TEXT, outcome TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS audit_at ON audit (at);
CREATE TRIGGER IF NOT EXISTS audit_kept BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TABLE IF NOT EXISTS noted (
  key TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
"""

#: Two tickets, and a session that supplies: 5,633 Wh and 1.74 EUR are settled.
ROWS = """
INSERT INTO session VALUES
  ('261101-aaaaaaaaaaaa', 'CP-001', 'ALICE', '0.30', 5000, 22000, '2026-11-01T09:00:00.000Z',
   'settled', 4133, 700, 0, 'completed', '2026-11-01T09:12:00.000Z', '1.24', 'r1'),
  ('261102-bbbbbbbbbbbb', 'CP-001', 'BERT', '0.33', 1500, 22000, '2026-11-02T09:00:00.000Z',
   'settled', 1500, 250, 0, 'driver', '2026-11-02T09:05:00.000Z', '0.50', 'r2'),
  ('261103-cccccccccccc', 'CP-001', 'ALICE', '0.30', 2000, 22000, '2026-11-03T09:00:00.000Z',
   'supplying', 700, 115, 22000, NULL, NULL, NULL, 'r3');
INSERT INTO audit VALUES
  ('2026-11-01T09:00:00.000Z', 'driver/ALICE', 'charge', 'CP-001', 'asked', '261101-aaaaaaaaaaaa'),
  ('2026-11-01T09:12:00.000Z', 'central', 'ticket', 'CP-001', 'completed',
   '261101-aaaaaaaaaaaa 4133 Wh 1.24 EUR');
INSERT INTO noted VALUES ('broker_log', '');
"""


def make(path: Path) -> None:
    """Write one, left as a process that was killed leaves it."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(SCHEMA)
    db.executescript(ROWS)
    db.close()
