"""Ana's bill, and staff who ask for a change of it: what the tests of this folder tell with."""

from dataclasses import replace

import pytest

from billing.account import Account
from billing.facts import FactKind
from billing.ids import account_pk, facts_pk, invoice_id
from billing.invariants import AccountRows, check_account
from billing.ports import Refused
from billing.staff_action import Deed, StaffAction
from functions.change_invoice.flow import Done, Order, change
from tests.billing.claim_examples import OWES_62_50, SUBMITTED
from tests.billing.examples import BY_HAND, PRACTICE
from tests.fakes.moment import Moment
from tests.fakes.store import MemoryStore
from tests.fakes.story import Story

BILL = invoice_id("riverbend", "ana", "claim", SUBMITTED.claim_id)
VOID = Order("riverbend", "sender", "key-1", "hash-1", BILL, Deed.VOID, "Billed to the wrong client")
WRITE_OFF = replace(VOID, deed=Deed.WRITE_OFF, reason="Hardship")


def billed(account: Account = BY_HAND) -> Story:
    """Ana's claim was decided: she owes $62.50, and was told."""
    story = Story(account)
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    assert story.invoice.invoice_id == BILL
    return story


def ask(story: Story, order: Order) -> Done:
    done = request(story, order)
    story.settle()
    return done


def request(story: Story, order: Order, moment: Moment | None = None) -> Done:
    """The bare call, its ports watched where something is to happen in between."""
    watch = moment.watch if moment else lambda port: port
    return change(watch(story.store), lambda: watch(story.cards), order, story.now)


def refused(story: Story, order: Order) -> str:
    """The code of the refusal, which changed nothing."""
    commits = story.store.commits
    with pytest.raises(Refused) as refusal:
        request(story, order)
    assert story.store.commits == commits
    return refusal.value.code


def sound(story: Story) -> bool:
    """Whether every invariant holds that the account's own rows can show; but 3, which wants to see a consent that
    these stories do not tell of."""
    books = story.store.partition(account_pk("riverbend", "ana"))
    rows = AccountRows.of(books, story.store.partition(facts_pk("riverbend", "ana")))
    assert rows is not None
    broken = check_account(rows, PRACTICE)
    assert [one for one in broken if one.invariant != 3] == []
    return True


def deeds(store: MemoryStore) -> list[StaffAction]:
    return [row for row in store.partition(facts_pk("riverbend", "ana"), "STAFF#") if isinstance(row, StaffAction)]


def of_kind(story: Story, kind: FactKind) -> int:
    return sum(fact.kind == kind for fact in story.facts)
