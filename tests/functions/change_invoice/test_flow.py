"""Staff change an invoice: once per key, never behind the back of a payment, and told to whoever was told before."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.facts import FactKind, Message, WakeKind
from billing.idempotency import UsedIdempotencyKey
from billing.invoice import Invoice, Status
from billing.ports import Conflict, Delete, Insert, Refused, TryAgain, Update, Write
from billing.staff_action import Deed
from functions.change_invoice.flow import Done, Order, change
from tests.billing.examples import BY_HAND, ENROLLED, NOW, invoice
from tests.fakes.cards import Crash
from tests.fakes.moment import every_moment
from tests.fakes.store import MemoryStore
from tests.fakes.story import Story, visa_details
from tests.functions.change_invoice.staff import (
    BILL,
    VOID,
    WRITE_OFF,
    ask,
    billed,
    deeds,
    of_kind,
    refused,
    request,
    sound,
)

ENDS = {
    "void": (VOID, Status.VOID, FactKind.INVOICE_VOIDED),
    "write-off": (WRITE_OFF, Status.WRITTEN_OFF, FactKind.INVOICE_WRITTEN_OFF),
}
each_end = pytest.mark.parametrize(("order", "status", "kind"), ENDS.values(), ids=ENDS)


# ---------------------------------------------------------------------------------------------------- what it does


@each_end
def test_desk_3_nothing_is_asked_for_any_more(order: Order, status: Status, kind: FactKind) -> None:
    story = billed()
    done = ask(story, order)
    assert done.new
    assert (done.invoice.status, done.invoice.open_amount) == (status, 0)
    assert done.lines is not None
    assert story.books.balance == 0
    assert of_kind(story, kind) == 1
    story.forward(days=90)
    assert story.mails == ["invoice", "no_longer_owed"]
    assert story.store.next_due() is None
    assert sound(story)


@each_end
def test_desk_3_the_reason_is_kept_with_the_deed_and_nowhere_else(order: Order, status: Status, kind: FactKind) -> None:
    """LAW-1."""
    story = billed()
    ask(story, order)
    (deed,) = deeds(story.store)
    assert (deed.deed, deed.invoice_id, deed.amount, deed.reason) == (order.deed, BILL, 62_50, order.reason)
    rest = [row for row in story.store.rows() if row != deed]
    assert order.reason not in repr(rest) + repr(story.mailer.sent)


@each_end
def test_auto_5_an_announced_charge_does_not_happen_and_the_client_is_told(
    order: Order, status: Status, kind: FactKind
) -> None:
    story = billed(ENROLLED)
    assert story.invoice.status is Status.SCHEDULED
    ask(story, order)
    story.forward(days=90)
    assert story.taken == 0
    assert story.mails == ["charge_notice", "no_longer_owed"]
    assert (story.letters[-1].amount, story.letters[-1].announced) == (62_50, True)


@each_end
def test_whoever_was_never_told_of_a_bill_is_not_told_of_its_end(order: Order, status: Status, kind: FactKind) -> None:
    story = Story(BY_HAND)
    story.store.commit(Insert(invoice(62_50, BILL)))
    assert ask(story, order).invoice.status is status
    assert story.mails == []


# ---------------------------------------------------------------------------------------- what stands in the way


def with_change(story: Story, **changed: object) -> Story:
    story.store.commit(Update(replace(story.invoice, version=story.invoice.version + 1, **changed)))  # type: ignore[arg-type]
    return story


@pytest.mark.parametrize(
    ("changed", "of_void", "of_write_off"),
    [
        ({"paid": 62_50}, "already_paid", "nothing_open"),
        ({"paid": 20_00}, "already_paid", ""),
        ({"credited": 20_00}, "already_paid", ""),
        ({"moved": 62_50}, "moved_to_plan", "nothing_open"),
        ({"paid": 62_50, "disputed": True}, "disputed", "disputed"),
        ({"written_off": 62_50}, "nothing_open", "nothing_open"),
        ({"void": True}, "already_void", "nothing_open"),
        ({"reviews": ("hold_1",)}, "", ""),
        ({"past_due": True}, "", ""),
    ],
    ids=str,
)
def test_desk_3_each_reason_to_say_no_has_its_name(changed: dict[str, object], of_void: str, of_write_off: str) -> None:
    for order, code in ((VOID, of_void), (WRITE_OFF, of_write_off)):
        story = with_change(billed(), **changed)
        if code:
            assert refused(story, order) == code
        else:
            assert ask(story, order).invoice.open_amount == 0


def test_desk_3_an_instalment_of_an_active_plan_stays() -> None:
    story = billed(ENROLLED)
    story.plan(2, NOW.date())
    story.forward(minutes=1)
    (instalment,) = (i for i in story.books.invoices if i.plan_id)
    for order in (VOID, WRITE_OFF):
        assert refused(story, replace(order, invoice_id=instalment.invoice_id)) == "in_plan"
        assert refused(story, order) in ("moved_to_plan", "nothing_open")


def test_an_invoice_of_nobody_or_of_another_practice_is_unknown() -> None:
    story = billed()
    for wrong in ("inv_1", "", "inv_" + "0" * 20 + "_ana", "inv_" + "0" * 20 + "_nobody"):
        assert refused(story, replace(VOID, invoice_id=wrong)) == "unknown_invoice"
    assert refused(story, replace(VOID, practice="oak")) == "unknown_invoice"


# -------------------------------------------------------------------------------------------- payments meanwhile


@each_end
def test_a_page_that_is_open_in_a_tab_is_closed_first(order: Order, status: Status, kind: FactKind) -> None:
    story = billed()
    session = story.open_page(BILL)
    assert ask(story, order).invoice.status is status
    assert story.cards.pages[session].state == "expired"
    assert story.taken == 0


@each_end
def test_what_was_paid_on_the_page_meanwhile_is_settled_and_stays(order: Order, status: Status, kind: FactKind) -> None:
    story = billed()
    session = story.open_page(BILL)
    story.cards.pay_on_page(session, visa_details())
    with pytest.raises(Refused) as refusal:
        ask(story, order)
    assert refusal.value.code == ("already_paid" if order is VOID else "nothing_open")
    story.settle()
    assert (story.invoice.status, story.taken, story.mails) == (Status.PAID, 62_50, ["invoice", "receipt"])


@each_end
def test_a_payment_that_is_being_processed_is_waited_for(order: Order, status: Status, kind: FactKind) -> None:
    story = billed()
    session = story.open_page(BILL)
    story.cards.pay_on_page(session, visa_details(), processing=True)
    assert refused(story, order) == "payment_in_progress"


@each_end
def test_auto_5_a_charge_that_is_under_way_is_waited_for(order: Order, status: Status, kind: FactKind) -> None:
    """Sent or not, nobody knows yet: the change is refused, and possible once the look-up has found out."""
    for fault, taken in (("crash_before", 0), ("lost_response", 62_50), ("drop", 0)):
        story = billed(ENROLLED)
        story.until(story.invoice.charge_at - timedelta(seconds=1) if story.invoice.charge_at else NOW)
        story.cards.fault = fault
        story.now = story.now + timedelta(seconds=1)
        attempt_begun(story)
        if taken:
            with pytest.raises(Refused) as refusal:
                ask(story, order)
            assert refusal.value.code == ("already_paid" if order is VOID else "nothing_open")
        else:
            assert refused(story, order) == "payment_in_progress"
        assert story.taken == taken


def attempt_begun(story: Story) -> None:
    """The due charge is woken once; its process may end on the way."""
    try:
        story.deliver("charge_autopay", Message(WakeKind.CHARGE, story.invoice.key))
    except Crash:
        assert story.cards.taken == []
    assert story.invoice.status is Status.PROCESSING


@each_end
def test_nobodys_page_is_closed_for_a_change_that_cannot_be(order: Order, status: Status, kind: FactKind) -> None:
    story = billed()
    session = story.open_page(BILL)
    with_change(story, disputed=True, paid=62_50)
    assert refused(story, order) == "disputed"
    assert story.cards.pages[session].state == "open"


# ---------------------------------------------------------------------------------------------------- once per key


@each_end
def test_the_same_request_again_is_shown_what_the_first_did(order: Order, status: Status, kind: FactKind) -> None:
    story = billed()
    first = ask(story, order)
    story.forward(days=200)
    again = ask(story, order)
    assert (first.new, again.new) == (True, False)
    assert (again.invoice, again.action) == (first.invoice, first.action)
    assert (of_kind(story, kind), len(deeds(story.store))) == (1, 1)
    assert story.mails.count("no_longer_owed") == 1


@each_end
def test_the_same_key_for_anything_else_is_refused(order: Order, status: Status, kind: FactKind) -> None:
    story = billed()
    ask(story, order)
    assert refused(story, replace(order, request_hash="hash-2")) == "idempotency_key_reused"


@each_end
def test_another_key_is_another_change(order: Order, status: Status, kind: FactKind) -> None:
    story = billed()
    ask(story, order)
    again = replace(order, idempotency_key="key-2")
    assert refused(story, again) == ("already_void" if order is VOID else "nothing_open")
    assert refused(story, replace(order, sender="another")) == ("already_void" if order is VOID else "nothing_open")


def test_a_key_that_was_forgotten_after_its_year_is_free_again() -> None:
    story = billed()
    story.pay(BILL)
    order = replace(VOID, deed=Deed.REFUND, amount=20_00)
    ask(story, order)
    story.forward(days=366)
    (used,) = (row for row in story.store.rows() if isinstance(row, UsedIdempotencyKey))
    assert used.expires <= story.now.timestamp()
    story.store.commit(Delete(used))
    assert ask(story, order).new
    assert story.invoice.refunded == 40_00
    assert len(deeds(story.store)) == 2


def test_a_refusal_binds_no_key() -> None:
    """Bound by the first 2xx: what was refused may be asked for again once it can be."""
    story = billed()
    session = story.open_page(BILL)
    story.cards.pay_on_page(session, visa_details(), processing=True)
    assert refused(story, VOID) == "payment_in_progress"
    story.cards.pages[session] = replace(story.cards.pages[session], state="expired")
    assert ask(story, VOID).new


@each_end
@pytest.mark.parametrize("page", [False, True], ids=["", "page open"])
def test_the_same_request_twice_at_once_is_done_once_wherever_they_meet(
    order: Order, status: Status, kind: FactKind, page: bool
) -> None:
    begun = billed()
    if page:
        begun.open_page(BILL)
    story, others = begun, list[Done]()

    def meets() -> None:
        others.append(request(story, order))

    for moment in every_moment(meets):
        others.clear()
        story = deepcopy(begun)
        mine = request(story, order, moment)
        if others:
            assert mine.new != others[0].new, f"before call {moment.at}"
            assert mine.action == others[0].action
        story.settle()
        assert story.invoice.status is status
        assert (of_kind(story, kind), len(deeds(story.store))) == (1, 1)
        assert story.mails == ["invoice", "no_longer_owed"]
        assert sound(story)


@each_end
@pytest.mark.parametrize("page", [False, True], ids=["", "page open"])
def test_a_process_that_ends_anywhere_leaves_a_request_that_can_be_sent_again(
    order: Order, status: Status, kind: FactKind, page: bool
) -> None:
    begun = billed()
    if page:
        begun.open_page(BILL)

    def ends() -> None:
        raise Crash

    for moment in every_moment(ends):
        story = deepcopy(begun)
        try:
            request(story, order, moment)
        except Crash:
            assert moment.came
        story.settle()
        ask(story, order)
        assert story.invoice.status is status
        assert (of_kind(story, kind), len(deeds(story.store))) == (1, 1)
        assert story.mails == ["invoice", "no_longer_owed"]
        assert sound(story)


@each_end
def test_what_a_client_pays_while_staff_ask_is_either_refused_to_them_or_counts(
    order: Order, status: Status, kind: FactKind
) -> None:
    """At every moment the client opens the page of their bill and pays: never is money kept for what is not owed."""
    begun = billed()
    story, outcomes, codes = begun, set[tuple[Status, int, int]](), set[str]()

    def pays() -> None:
        try:
            session = story.open_page(BILL)
        except Refused as too_late:
            codes.add(too_late.code)
        else:
            story.cards.pay_on_page(session, visa_details())

    for moment in every_moment(pays):
        story = deepcopy(begun)
        try:
            request(story, order, moment)
        except Refused as refusal:
            codes.add(refusal.code)
        for attempt in story.books.attempts:
            story.hear(attempt.number)
        story.settle()
        outcomes.add((story.invoice.status, story.taken, story.books.account.credit))
        assert sound(story)
    assert outcomes == {(status, 0, 0), (Status.PAID, 62_50, 0)}
    assert codes == {"nothing_to_pay", "already_paid" if order is VOID else "nothing_open"}


@each_end
def test_a_charge_that_starts_while_staff_ask_is_not_behind_their_back(
    order: Order, status: Status, kind: FactKind
) -> None:
    """Whoever commits second decides anew: either it is charged and the change refused, or changed and not charged."""
    begun = billed(ENROLLED)
    assert begun.invoice.charge_at is not None
    begun.now = begun.invoice.charge_at
    outcomes = set()
    story = begun

    def charges() -> None:
        story.wake()

    for moment in every_moment(charges):
        story = deepcopy(begun)
        try:
            request(story, order, moment)
        except Refused:
            outcomes.add((story.invoice.status, story.taken))
        else:
            story.settle()
            outcomes.add((story.invoice.status, story.taken))
    assert outcomes == {(Status.PAID, 62_50), (status, 0)}


def test_an_account_that_changes_all_the_time_is_a_matter_of_trying_again() -> None:
    story = billed()

    class Busy(MemoryStore):
        def commit(self, *writes: Write) -> None:
            raise Conflict("somebody was first")

    busy = Busy()
    busy.__dict__.update(story.store.__dict__)
    with pytest.raises(TryAgain):
        change(busy, lambda: story.cards, VOID, story.now)
    assert deeds(story.store) == []


def test_an_invoice_head_says_what_became_of_it() -> None:
    story = billed()
    done: Invoice = ask(story, WRITE_OFF).invoice
    assert (done.written_off, done.charge_at, done.remind_at, done.past_due_at) == (62_50, None, None, None)
