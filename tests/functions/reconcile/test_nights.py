"""A night's reconciliation over whole lives: nothing is found where all is well, and what is planted is found, mended
where that is safe, and shown until it is gone.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.account import Account
from billing.claim_state import Slice, StoredBody
from billing.dispute import DisputeState
from billing.facts import FactKind, Message, WakeKind
from billing.ids import Key
from billing.payment import AttemptState
from billing.ports import Conflict, Delete, DueItem, Insert, Record, TryAgain, Update, Write
from billing.reconciliation import RECONCILIATION_KEY, Counts, armed, asked_for
from billing.refund import RefundState
from billing.statement import TheirPayment
from functions.reconcile import flow
from functions.reconcile.night import Night
from tests.billing.claim_examples import SUBMITTED
from tests.billing.examples import BY_HAND, NOW
from tests.fakes.cards import Crash
from tests.fakes.store import MemoryStore
from tests.fakes.story import Story, visa_details

FIRST_NIGHT = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
RESULT: dict[str, Any] = {
    "payer": {"id": "87726", "name": "Example Health Plan"},
    "payer_claim_id": "2026-000123",
    "status": "processed_primary",
    "adjudicated_on": "2026-11-20",
    "currency": "usd",
    "charged": 150_00,
    "paid": 87_50,
    "adjustments": [],
}


def watched(account: Account = BY_HAND) -> Story:
    """Ana's story, reconciled every night."""
    story = Story(account)
    story.store.commit(Insert(armed(NOW)))
    return story


def billed(story: Story, claim_id: str = "KB7Q2M9X41") -> None:
    """A claim of $150.00 of which Ana owes $62.50: submitted, decided, posted."""
    story.submit(replace(SUBMITTED, claim_id=claim_id))
    line = {"procedure": "90834", "service_date": "2026-10-30", "charged": 150_00, "paid": 87_50}
    adjustments = [{"group": "PR", "code": "1", "amount": 62_50}]
    story.post(json.dumps(RESULT | {"claim_id": claim_id, "lines": [{**line, "adjustments": adjustments}]}).encode())


def open_findings(story: Story) -> list[tuple[int, str]]:
    return [(f.invariant, f.what) for f in story.findings if f.resolved_at is None]


def tampered(story: Story, row: Record, **changes: object) -> None:
    """A row is changed by nobody's rule."""
    story.store.commit(Update(replace(row, version=row.version + 1, **changes)))  # type: ignore[type-var]


def tonight(story: Story) -> None:
    """Let time pass to the next 07:00 UTC and a bit."""
    story.until(story.reconciliation.wake_at + timedelta(minutes=5))


# ------------------------------------------------------------------------------------------------ where all is well


def test_a_season_of_autopay_leaves_nothing_to_find() -> None:
    story = watched()
    story.enrol()
    for number in range(5):
        billed(story, f"claim_{number}")
        story.forward(days=9)
    assert story.taken == 5 * 62_50
    assert story.reconciliation.number == 45
    assert story.findings == []
    assert story.reconciliation.last.sent_again == 0


def test_a_night_looks_at_what_was_touched() -> None:
    story = watched()
    billed(story)
    story.pay(story.invoice.invoice_id)
    tonight(story)
    last = story.reconciliation.last
    assert (last.objects, last.accounts, last.claims, last.bodies, last.findings) == (1, 1, 1, 1, 0)


def test_the_next_night_comes_by_itself_and_looks_since_the_last() -> None:
    story = watched()
    for night in range(3):
        tonight(story)
        row = story.reconciliation
        assert row.number == night + 1
        assert row.wake_at == FIRST_NIGHT + timedelta(days=night + 1)
        assert row.since == FIRST_NIGHT + timedelta(days=night)
        assert row.started_at is None


# ------------------------------------------------------------------------------------------------ slices and crashes


class Breaking(MemoryStore):
    """A table whose process ends at the n-th commit, before or after it."""

    crash_at, crash_after = 0, False

    def commit(self, *writes: Write) -> None:
        if self.commits + 1 != self.crash_at:
            super().commit(*writes)
            return
        Breaking.crash_at = 0
        if self.crash_after:
            super().commit(*writes)
        raise Crash


@pytest.mark.parametrize("crash_after", [False, True])
def test_a_run_that_dies_between_two_slices_goes_on_where_it_was(
    crash_after: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flow, "SLICE", 1)
    quiet = watched()
    billed(quiet)
    quiet.pay(quiet.invoice.invoice_id)
    tonight(quiet)
    slices = 3
    for slice_number in range(slices):
        story = watched()
        billed(story)
        story.pay(story.invoice.invoice_id)
        broken = story.store.copy()
        broken.__class__ = Breaking
        story.store = broken
        monkeypatch.setattr(Breaking, "crash_at", broken.commits + slice_number + 1)
        monkeypatch.setattr(Breaking, "crash_after", crash_after)
        tonight(story)
        assert Breaking.crash_at == 0
        assert story.reconciliation.finished_at is not None
        assert story.reconciliation.last.objects == quiet.reconciliation.last.objects
        assert (story.reconciliation.number, story.findings) == (1, [])


def test_a_run_whose_message_is_lost_is_woken_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "SLICE", 1)
    story = watched()
    billed(story)
    story.loses = {FactKind.RECONCILE_SLICE_DONE}
    story.until(FIRST_NIGHT + timedelta(hours=6))
    assert story.reconciliation.finished_at is not None
    assert story.reconciliation.number == 1


def test_a_run_never_starts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message comes twice, and late ones of slices that are long done change nothing."""
    monkeypatch.setattr(flow, "SLICE", 1)
    story = watched()
    billed(story)
    story.copies = 2
    tonight(story)
    assert story.reconciliation.number == 1
    assert story.reconciliation.last.bodies == 1
    before = story.store.commits
    stale = Message(FactKind.RECONCILE_SLICE_DONE, Key("Z#", "SLICE#000001#000001#"))
    story.deliver("reconcile", stale)
    story.deliver("reconcile", Message(WakeKind.RECONCILE, RECONCILIATION_KEY))
    assert story.store.commits == before


def test_two_workers_on_one_slice_are_one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    story = watched()
    story.now = FIRST_NIGHT
    message = Message(WakeKind.RECONCILE, RECONCILIATION_KEY)
    first = story.store.due

    def both(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(story.store, "due", first)
        story.deliver("reconcile", message)
        return first(*args, **kwargs)

    monkeypatch.setattr(story.store, "due", both)
    with pytest.raises(Conflict):
        story.deliver("reconcile", message)
    assert story.reconciliation.number == 1


# ------------------------------------------------------------------------------------------------ Stripe and we


def test_a_payment_that_only_stripe_knows_is_booked() -> None:
    """The webhook is lost, and so is every look-up."""
    story = watched()
    billed(story)
    story.loses = {WakeKind.LOOK_UP}
    session = story.open_page(story.invoice.invoice_id)
    story.cards.pay_on_page(session, visa_details())
    tonight(story)
    assert story.books.balance == 0
    assert story.mails[-1] == "receipt"
    (mended,) = story.findings
    assert (mended.invariant, mended.mended, mended.resolved_at) == (8, True, FIRST_NIGHT)
    assert story.reconciliation.last.mended == 1
    assert story.reconciliation.last.findings == 0


def test_a_payment_that_was_made_just_now_is_left_to_its_webhook() -> None:
    story = watched()
    billed(story)
    story.until(FIRST_NIGHT - timedelta(minutes=4))
    story.loses = {WakeKind.LOOK_UP}
    story.cards.pay_on_page(story.open_page(story.invoice.invoice_id), visa_details())
    tonight(story)
    assert story.books.balance == 62_50
    assert story.findings == []
    tonight(story)
    assert story.books.balance == 0


def test_another_amount_at_stripe_is_shown_to_a_person_until_it_is_gone() -> None:
    story = watched()
    billed(story)
    story.pay(story.invoice.invoice_id)
    intent = story.books.attempts[0].intent_id
    story.statement.took[intent] = 60_00
    tonight(story)
    assert open_findings(story) == [
        (8, "we booked 6250, Stripe took 6000"),
        (8, "Stripe took 6000, we booked 6250"),
    ] or open_findings(story) == [
        (8, "Stripe took 6000, we booked 6250"),
        (8, "we booked 6250, Stripe took 6000"),
    ]
    story.forward(days=30)
    assert [f.first_seen for f in story.findings] == [FIRST_NIGHT] * 2
    assert story.reconciliation.last.findings == 2
    del story.statement.took[intent]
    tonight(story)
    assert open_findings(story) == []
    assert story.reconciliation.last.findings == 0


def test_a_payment_of_ours_that_stripe_does_not_have_is_shown_to_a_person() -> None:
    story = watched()
    billed(story)
    story.pay(story.invoice.invoice_id)
    story.statement.forgotten.add(story.books.attempts[0].intent_id)
    tonight(story)
    assert open_findings(story) == [(8, "we booked 6250, Stripe has no such payment")]
    story.forward(days=10)
    assert len(open_findings(story)) == 1


def test_a_payment_of_an_attempt_that_was_never_written_is_shown_to_a_person() -> None:
    story = watched()
    planted = TheirPayment("pi_x", "riverbend", "ana", 7, "pay_x_7", True, 10_00, NOW)
    story.statement.planted = [planted]
    story.forward(days=10)
    assert open_findings(story) == [(8, "Stripe took 1000 for attempt 7, which was never written")]


def test_objects_of_another_copy_on_the_same_stripe_account_are_none_of_ours() -> None:
    story = watched()
    planted = TheirPayment("pi_x", "somewhere_else", "ana", 7, "pay_x_7", True, 10_00, NOW)
    story.statement.planted = [planted, replace(planted, practice="riverbend", client="nobody")]
    tonight(story)
    assert story.findings == []


def test_stripe_asking_to_wait_stops_a_run_only_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    story = watched()
    real, calls = story.statement.payments, []

    def busy(*args: Any) -> Any:
        calls.append(args)
        if len(calls) < 4:
            raise TryAgain("too many requests")
        return real(*args)

    monkeypatch.setattr(story.statement, "payments", busy)
    tonight(story)
    assert story.reconciliation.finished_at is not None


def paid(story: Story) -> str:
    """A bill of $62.50, paid -> Stripe's id of the payment."""
    billed(story)
    story.pay(story.invoice.invoice_id)
    return story.books.attempts[0].intent_id


def test_a_refund_made_in_stripes_dashboard_is_booked_although_its_webhook_was_lost() -> None:
    """PAY-12."""
    story = watched()
    story.cards.add_refund(paid(story), 20_00)
    tonight(story)
    assert story.invoice.refunded == 20_00
    (mended,) = story.findings
    assert (mended.mended, mended.what) == (True, "Stripe paid 2000 back, which we had not booked")
    tonight(story)
    assert story.reconciliation.last.mended == 0
    assert len(story.findings) == 1


def test_a_refund_that_the_bank_returned_weeks_later_is_heard_of() -> None:
    story = watched()
    paid(story)
    story.refund(story.invoice.invoice_id)
    (refund,) = story.books.refunds
    story.forward(days=20)
    story.cards.decide_refund(refund.stripe_id, RefundState.FAILED, "expired_or_canceled_card")
    tonight(story)
    assert story.books.refunds[0].state is RefundState.FAILED
    assert story.invoice.refunded == 0
    assert open_findings(story) == []


def test_a_dispute_is_heard_of_and_so_is_its_end() -> None:
    """PAY-13."""
    story = watched()
    dispute = story.cards.open_dispute(paid(story))
    tonight(story)
    assert story.invoice.disputed
    story.forward(days=60)
    story.cards.decide_dispute(dispute, DisputeState.LOST)
    tonight(story)
    assert story.books.disputes[0].state is DisputeState.LOST
    assert story.invoice.open_amount == 62_50
    assert open_findings(story) == []


def test_a_refund_and_a_dispute_of_ours_that_stripe_does_not_list_are_shown() -> None:
    story = watched()
    intent = paid(story)
    story.refund(story.invoice.invoice_id, 10_00)
    story.cards.open_dispute(intent)
    story.webhook("charge.dispute.created", 0, intent)
    assert story.books.disputes
    story.cards.refunds.clear()
    story.cards.disputes.clear()
    tonight(story)
    assert open_findings(story) in (
        [(8, "we booked 1000 as paid back, Stripe does not list it"), LOST_DISPUTE],
        [LOST_DISPUTE, (8, "we booked 1000 as paid back, Stripe does not list it")],
    )


LOST_DISPUTE = (8, "we booked a dispute of 5250, Stripe does not list it")


def test_refunds_and_disputes_that_agree_are_nothing_to_find() -> None:
    story = watched()
    intent = paid(story)
    story.refund(story.invoice.invoice_id, 10_00)
    story.cards.open_dispute(intent)
    story.webhook("charge.dispute.created", 0, intent)
    story.forward(days=5)
    assert story.findings == []


# ------------------------------------------------------------------------------------------------ our own books


def test_a_tampered_invoice_is_found_and_gone_when_it_is_put_right() -> None:
    story = watched()
    billed(story)
    tampered(story, story.invoice, amount=60_00)
    story.until(FIRST_NIGHT + timedelta(days=3))
    found = open_findings(story)
    assert {invariant for invariant, _ in found} == {2, 11}
    assert all("62" in what or "60" in what for _, what in found)
    tampered(story, story.invoice, amount=62_50)
    tonight(story)
    assert open_findings(story) == []


def test_rows_so_broken_that_they_cannot_be_checked_are_a_finding_and_stop_nobody() -> None:
    story = watched()
    billed(story)
    bill = story.invoice
    story.store._partitions[bill.key.pk][bill.key.sk] = replace(bill, paid=90_00)
    story.until(FIRST_NIGHT + timedelta(minutes=5))
    assert open_findings(story) == [(2, "cannot be checked: AssertionError")]
    assert story.reconciliation.finished_at is not None


def test_books_that_change_while_they_are_read_are_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Account and facts are two reads: a payment between them looks like money without an entry, for a moment."""
    story = watched()
    billed(story)
    session = story.open_page(story.invoice.invoice_id)
    story.cards.pay_on_page(session, visa_details())
    real = story.store.partition

    def meanwhile(pk: str, prefix: str = "") -> list[Record]:
        rows = real(pk, prefix)
        if pk.startswith("A#"):
            monkeypatch.setattr(story.store, "partition", real)
            story.hear(1)
        return rows

    monkeypatch.setattr(story.store, "partition", meanwhile)
    story.now = NOW + timedelta(minutes=2)
    story.store.commit(Update(asked_for(story.reconciliation, story.now)))
    story.wake()
    assert story.books.attempts[0].state is AttemptState.POSTED
    assert story.reconciliation.finished_at is not None
    assert story.findings == []


def test_work_that_nobody_does_is_found() -> None:
    story = watched()
    billed(story)
    story.loses = {WakeKind.REMIND}
    story.forward(days=4)
    (only,) = open_findings(story)
    assert only[0] == 10
    assert only[1].startswith("due since 2026-11-23")
    story.loses = set()
    story.forward(days=1)
    assert open_findings(story) == []
    assert "reminder" in story.mails


def test_a_claim_whose_hold_is_gone_is_found() -> None:
    story = watched()
    story.post(json.dumps(RESULT | {"claim_id": "nobody_sent_it", "lines": []}).encode())
    tonight(story)
    assert open_findings(story) == []
    story.post(json.dumps(RESULT | {"claim_id": "nobody_sent_this", "lines": []}).encode())
    hold = next(h for h in story.holds if h.claim_id == "nobody_sent_this")
    story.store.commit(Delete(hold))
    tonight(story)
    ((invariant, what),) = open_findings(story)
    assert invariant == 6
    assert "is not on hold" in what


# ------------------------------------------------------------------------------------------------ lost messages


@pytest.mark.parametrize("lost", [FactKind.CLAIM_BODY_STORED, FactKind.CLAIM_RESULT_RECEIVED, FactKind.INVOICE_ISSUED])
def test_a_lost_message_is_sent_again(lost: str) -> None:
    story = watched()
    story.loses = {lost}
    billed(story)
    assert story.mails == []
    story.loses = set()
    tonight(story)
    if lost == FactKind.CLAIM_BODY_STORED:
        tonight(story)
    assert story.mails == ["invoice"]
    assert story.findings == []
    tonight(story)
    assert story.reconciliation.last.sent_again == 0


def test_a_lost_receipt_is_sent_after_all() -> None:
    """PAY-11: a receipt is mailed on every payment."""
    story = watched()
    billed(story)
    story.loses = {FactKind.PAYMENT_POSTED}
    story.pay(story.invoice.invoice_id)
    story.loses = set()
    tonight(story)
    assert story.mails == ["invoice", "receipt"]


def test_what_stays_lost_is_shown_to_a_person() -> None:
    story = watched()
    story.loses = {FactKind.CLAIM_BODY_STORED}
    billed(story)
    story.forward(days=2)
    assert open_findings(story) == []
    story.forward(days=2)
    ((invariant, what),) = open_findings(story)
    assert invariant == 10
    assert what.startswith("not concluded")
    story.loses = set()
    story.forward(days=1)
    assert story.mails == ["invoice"]
    story.forward(days=2)
    assert open_findings(story) == []


def test_a_result_without_a_verdict_is_shown_once_it_is_old() -> None:
    story = watched()
    story.loses = {FactKind.CLAIM_RESULT_RECEIVED}
    billed(story)
    story.forward(days=4)
    assert {invariant for invariant, _ in open_findings(story)} == {6, 10}


def test_a_body_of_which_nothing_is_missing_rests_and_stays_as_it_is() -> None:
    story = watched()
    billed(story)
    (body,) = [row for row in story.store.rows() if isinstance(row, StoredBody)]
    tonight(story)
    due = [item.key for shard in range(4) for item in story.store.due(shard, NOW + timedelta(days=99), 99)]
    assert body.key not in due
    assert story.store.get(body.key) == body


class Partitions(MemoryStore):
    """Remembers which partitions were read whole."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def partition(self, pk: str, prefix: str = "") -> list[Record]:
        self.read.append(pk + prefix)
        return super().partition(pk, prefix)


@pytest.mark.parametrize("waits", ["COUNT#000007#", "UPLOAD#"])
def test_counts_and_uploads_that_are_due_make_no_night_read_a_body(waits: str) -> None:
    """A body of 50 MB has 550 slices; who counts it, and who waits for a file, is woken by itself."""
    story, store = watched(), Partitions()
    night = Night(store, story.cards, story.statement, lambda _: 0, 1, FIRST_NIGHT, NOW, FIRST_NIGHT, Counts())
    night.due(DueItem(Key("R#rcp_1#", waits), f"{FIRST_NIGHT:%Y-%m-%dT%H:%M:%SZ}#count"))
    assert store.read == []


def test_a_body_of_several_slices_is_looked_at_slice_by_slice() -> None:
    story = watched()
    for number in range(3):
        billed(story, f"claim_{number}")
    first, *others = [row for row in story.store.rows() if isinstance(row, Slice)]
    for number, one in enumerate(others, start=1):
        moved = replace(one, receipt_id=first.receipt_id, number=number, last=number == len(others))
        story.store.commit(Insert(moved))
    story.store.commit(Update(replace(first, last=False, version=2)))
    tonight(story)
    assert story.reconciliation.last.claims == 3
    assert story.reconciliation.last.sent_again == 0
    assert story.findings == []


def test_a_body_that_came_minutes_before_a_night_is_looked_at_by_the_next() -> None:
    story = watched()
    story.until(FIRST_NIGHT - timedelta(minutes=4))
    billed(story)
    tonight(story)
    assert story.reconciliation.last.bodies == 0
    tonight(story)
    last = story.reconciliation.last
    assert (last.bodies, last.claims, last.accounts) == (1, 1, 1)


def test_a_body_is_looked_at_even_where_no_night_comes() -> None:
    story = Story(BY_HAND)
    story.loses = {FactKind.CLAIM_RESULT_RECEIVED}
    billed(story)
    story.loses = set()
    story.forward(hours=27)
    assert story.mails == ["invoice"]
    story.forward(hours=5)
    (body,) = [row for row in story.store.rows() if isinstance(row, StoredBody)]
    due = [item.key for shard in range(4) for item in story.store.due(shard, NOW + timedelta(days=99), 99)]
    assert body.key not in due


def test_a_claim_that_came_after_its_result_is_judged_although_its_message_was_lost() -> None:
    story = watched()
    line = {"procedure": "90834", "service_date": "2026-10-30", "charged": 150_00, "paid": 87_50}
    lines = [{**line, "adjustments": [{"group": "PR", "code": "1", "amount": 62_50}]}]
    story.post(json.dumps(RESULT | {"claim_id": "KB7Q2M9X41", "lines": lines}).encode())
    story.loses = {FactKind.CLAIM_SUBMITTED}
    story.submit(SUBMITTED)
    story.loses = set()
    tonight(story)
    assert story.mails == ["invoice"]
    assert story.findings == []


# ------------------------------------------------------------------------------------------------ what it costs


class Counting(MemoryStore):
    """A table that counts what is read of it."""

    reads = 0

    def partition(self, pk: str, prefix: str = "") -> list[Record]:
        Counting.reads += 1
        return super().partition(pk, prefix)

    def get(self, key: Key) -> Record | None:
        Counting.reads += 1
        return super().get(key)

    def due(self, *args: Any, **kwargs: Any) -> Any:
        Counting.reads += 1
        return super().due(*args, **kwargs)


def test_a_night_reads_what_was_touched_and_not_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    for stored in (100, 10_000):
        story = watched()
        counting = story.store.copy()
        counting.__class__ = Counting
        story.store = counting
        billed(story)
        bill = story.invoice
        story.pay(bill.invoice_id)
        for number in range(stored):
            other = f"client_{number}"
            waiting = replace(bill, client=other, version=1, remind_at=NOW + timedelta(days=20))
            story.store.commit(Insert(replace(BY_HAND, client=other)), Insert(waiting))
        story.until(FIRST_NIGHT - timedelta(minutes=1))
        monkeypatch.setattr(Counting, "reads", 0)
        tonight(story)
        reads.append(Counting.reads)
        assert story.reconciliation.last.accounts == 1
    assert reads[0] == reads[1]


def test_somebody_may_ask_for_a_run_now() -> None:
    story = watched()
    story.store.commit(Update(asked_for(story.reconciliation, story.now)))
    assert story.reconciliation.wake_at == story.now, "were it due before, its wake would look late"
    story.wake()
    assert story.reconciliation.number == 1
    assert story.reconciliation.wake_at == FIRST_NIGHT
