"""A claim result of Ana's that waits for a person: what the tests of the calls about holds start from."""

from dataclasses import replace

from billing.claim import Adjustment
from billing.claim_file import hold_id
from billing.claim_state import ReceivedResult, Submission
from billing.facts import Message
from billing.ports import Insert
from functions.issue_invoice import flow as issue_invoice
from tests.billing.claim_examples import SUBMITTED, decided
from tests.billing.examples import NOW
from tests.fakes.store import MemoryStore

HELD = decided(Adjustment("PR", "1", 4000), Adjustment("CO", "3", 2250))
"""A copay under CO: nobody owes it by its group, the patient by its meaning."""
HOLD = hold_id("riverbend", HELD.result_key())


def wait_for_a_person(store: MemoryStore) -> None:
    """It arrived, and is held; it may be about another claim of hers, KB2."""
    claims = (replace(SUBMITTED, client_id="ana", claim_id=one) for one in (SUBMITTED.claim_id, "KB2"))
    store.commit(*(Insert(Submission("riverbend", claim, NOW)) for claim in claims))
    received = ReceivedResult("riverbend", HELD, "receipt_1", NOW)
    store.commit(Insert(received))
    issue_invoice.run(Message(received.kind, received.key), store=store, now=NOW)
