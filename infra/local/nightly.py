"""What the nightly reconciliation says of itself, and how somebody asks for a run now: on this machine and on AWS."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from billing.ports import Insert, Store, Update
from billing.reconciliation import FINDINGS_PK, RECONCILIATION_KEY, Finding, Reconciliation, armed, asked_for
from infra.local.cloud import Cloud

LOOK_EVERY_S: Final = 0.25
GIVE_UP_AFTER_S: Final = 900.0
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


def shown(store: Store) -> dict[str, Any]:
    """The last run, the next one, and every finding of the last 90 days, open ones first, newest first."""
    row = store.get(RECONCILIATION_KEY)
    if not isinstance(row, Reconciliation):
        return {"running": False, "next_run_at": None, "last_run": None, "findings": []}
    findings = [f for f in store.partition(FINDINGS_PK) if isinstance(f, Finding)]
    newest = sorted(findings, key=lambda f: f.last_seen, reverse=True)
    last = {"number": row.number, "began_at": row.since.isoformat(), "ended_at": _text(row.finished_at)}
    return {
        "running": row.started_at is not None,
        "next_run_at": None if row.started_at else row.wake_at.isoformat(),
        "last_run": last | asdict(row.last) if row.finished_at else None,
        "findings": [_finding(f) for f in sorted(newest, key=lambda f: f.resolved_at is not None)],
    }


def _finding(found: Finding) -> Mapping[str, Any]:
    return {
        "id": found.finding_id,
        "state": "mended" if found.mended else "resolved" if found.resolved_at else "open",
        "invariant": found.invariant,
        "partition": found.at_pk,
        "where": found.where,
        "what": found.what,
        "first_seen": found.first_seen.isoformat(),
        "last_seen": found.last_seen.isoformat(),
        "resolved_at": _text(found.resolved_at),
    }


def _text(at: Any) -> str | None:
    return at.isoformat() if at else None


def run_now(cloud: Cloud, store: Store, now: datetime) -> dict[str, Any]:
    """Make a run due at `now`, the copy's own; wait until it is over; tell what it found. Raises TimeoutError.

    A copy that had practices before it had nights gets its first one so, which looks at everything.
    """
    row = store.get(RECONCILIATION_KEY)
    if not isinstance(row, Reconciliation):
        row = armed(LONG_AGO)
        store.commit(Insert(row))
    elif row.started_at is None:
        store.commit(Update(asked_for(row, now)))
    wanted = row.number if row.started_at else row.number + 1
    if cloud.endpoint:
        cloud.invoke("wake_due", {"source": "kindbill reconcile"})  # on AWS the next minute does it
    give_up = time.monotonic() + GIVE_UP_AFTER_S
    while time.monotonic() < give_up:
        seen = store.get(RECONCILIATION_KEY)
        if isinstance(seen, Reconciliation) and seen.started_at is None and seen.number >= wanted:
            return shown(store)
        time.sleep(LOOK_EVERY_S)
    raise TimeoutError("the run is not over after 15 minutes: look at the queue of reconcile and its dead letters")
