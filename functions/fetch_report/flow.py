"""Fetch the report that a clearinghouse told us of, and keep it as if it had been posted: from there on it is a body
with a receipt like any other.

    ClearinghouseEventStored -> the report is fetched and kept; the event remembers its receipt
    fetch_report (wake)      -> it is still missing: after an hour, then each time twice as long, for two weeks

The receipt is made from the report's bytes, and each claim in it is known by its content: a crash between keeping the
report and saying so costs a second fetch and bills nothing twice.
"""

from datetime import datetime

from billing.clearinghouse_event import ClearinghouseEvent
from billing.facts import Message, WakeKind
from billing.ports import Blobs, ClaimReports, Store, Update
from edges.inbound.media import JSON
from functions.ingest_claims.flow import Delivery, keep


def run(message: Message, *, store: Store, blobs: Blobs, reports: ClaimReports, now: datetime) -> None:
    """Fetch what the event names, once. Raises TryAgain with the reason while it cannot be had."""
    event = store.get(message.key)
    assert isinstance(event, ClearinghouseEvent), f"{message.key.pk}: no event of a clearinghouse at this key"
    if event.receipt_id:
        return
    if message.kind == WakeKind.FETCH_REPORT:
        event = event.looked_for(now)
        store.commit(Update(event))  # first, or a report that is never there would be asked for every few minutes
    report = reports.fetch(event.practice, event.transaction_id)
    kept = keep(Delivery(event.practice, event.sender, JSON, report), store=store, blobs=blobs, now=now)
    store.commit(Update(event.fetched(kept.body.receipt_id)))
