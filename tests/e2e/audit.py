"""What must hold of every client when a story is over, asked from outside: accounts, facts, mailbox, Stripe.

Nothing here knows how Kindbill works inside. Each promise is checked against another source than the one that would
have gone wrong with it: our books against Stripe's, balances against the entries, mails against what was owed when they
were sent.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.e2e.kindbill import Json, Kindbill, instant

ASKS = frozenset({"invoice", "charge_notice", "approval_request", "reminder", "charge_failed"})
"""Mails that want money."""
ANNOUNCES = frozenset({"charge_notice", "plan_schedule"})
LEAST_NOTICE = timedelta(hours=4)
"""AUTO-3: whatever the policy says."""

_DOLLARS = re.compile(r"\$([\d,]+)\.(\d\d)")
_PAY_LINK = re.compile(r"/pay/[\w.~-]+")


def audit(kindbill: Kindbill, *client_ids: str, mails_may_repeat: bool = False) -> None:
    """Check these clients, or everybody. `mails_may_repeat`: answers of the mail service were lost on purpose, and mail
    is at least once."""
    found = Found.read(kindbill)
    wanted = client_ids or tuple(found.facts)
    assert wanted, "nobody to look at"
    for client_id in wanted:
        _Client(kindbill, found, client_id).check()
    _no_mail_is_unexplained(found, mails_may_repeat)
    assert found.dead_letters == []


@dataclass(frozen=True)
class Found:
    """What was to be seen, read once. Facts and mails by client, oldest first; charges by Stripe's metadata; refunds
    and disputes by the payment they are of."""

    facts: Mapping[str, Sequence[Json]]
    mails: Sequence[Json]
    intents: Mapping[str, Sequence[Json]]
    refunds: Mapping[str, Sequence[Json]]
    disputes: Mapping[str, Sequence[Json]]
    dead_letters: Json

    @classmethod
    def read(cls, kindbill: Kindbill) -> "Found":
        facts = reversed(kindbill.get("/_local/facts"))
        return cls(
            facts=_by((fact["client_id"], fact) for fact in facts if fact["client_id"]),
            mails=kindbill.mails(),
            intents=_by((one["metadata"].get("client", ""), one) for one in kindbill.stripe_list("payment_intents")),
            refunds=_by((one["payment_intent"], one) for one in kindbill.stripe_list("refunds")),
            disputes=_by((one["payment_intent"], one) for one in kindbill.stripe_list("disputes")),
            dead_letters=kindbill.get("/_local/dead-letters"),
        )


class _Client:
    """One client, and every promise about them."""

    def __init__(self, kindbill: Kindbill, found: Found, client_id: str) -> None:
        self.name = client_id
        self.account = kindbill.account(client_id)
        self.facts = found.facts.get(client_id, ())
        self.mails = [mail for mail in found.mails if mail["client_id"] == client_id]
        self.intents = found.intents.get(client_id, ())
        ours = [one["id"] for one in self.intents]
        self.refunds = [refund for intent in ours for refund in found.refunds.get(intent, ())]
        self.disputes = [dispute for intent in ours for dispute in found.disputes.get(intent, ())]

    def check(self) -> None:
        self._books_balance_and_say_what_the_account_says()
        self._every_payment_is_stripes_and_the_other_way_round()
        self._nothing_is_paid_twice()
        self._every_payment_has_its_receipt()
        self._no_charge_came_unannounced()
        self._no_mail_asks_for_what_was_not_owed()

    def _books_balance_and_say_what_the_account_says(self) -> None:
        """Invariants 1, 2 and 5: entries sum to zero; open amounts and balance follow from them; nothing is
        negative."""
        for fact in self.facts:
            assert sum(entry["amount"] for entry in fact["entries"]) == 0, fact
        sums = self._sums()
        invoices, plan = self.account["invoices"], self.account["plan"]
        for one in invoices:
            assert 0 <= one["open_amount"] <= one["amount"], (self.name, one)
            assert sums["receivable", one["invoice_id"]] == one["open_amount"], (self.name, one)
        planned = [part for part in plan["instalments"] if part["status"] == "planned"] if plan else []
        to_come = sum(part["amount"] for part in planned) if plan and plan["status"] == "active" else 0
        assert self.account["balance"] == sum(one["open_amount"] for one in invoices) + to_come, self.name
        assert self.account["balance"] == _of(sums, "receivable"), self.name
        assert self.account["credit"] == -_of(sums, "credit"), self.name
        received = sum(one["amount_received"] for one in self.intents if one["status"] == "succeeded")
        sent_back = sum(one["amount"] for one in self.refunds if one["status"] == "succeeded")
        assert _of(sums, "clearing") == received - sent_back - sum(map(_withdrawn, self.disputes)), (self.name, sums)
        on_their_way = sum(one["amount"] for one in self.refunds if one["status"] == "pending")
        assert _of(sums, "refunds") == -on_their_way, (self.name, sums)
        undecided = sum(_withdrawn(one) for one in self.disputes if one["status"] not in ("won", "lost"))
        assert _of(sums, "disputed") == undecided, (self.name, sums)

    def _sums(self) -> Counter[tuple[str, str]]:
        """(book, item) -> what the entries of all facts add up to."""
        sums: Counter[tuple[str, str]] = Counter()
        for fact in self.facts:
            for entry in fact["entries"]:
                sums[entry["book"], entry["item"]] += entry["amount"]
        return sums

    def _every_payment_is_stripes_and_the_other_way_round(self) -> None:
        """Invariant 8, object by object; what Stripe does not know, the practice took itself (INV-10). An attempt is
        one intent at most, however often it was sent."""
        attempts = [one["metadata"]["attempt_id"] for one in self.intents]
        assert len(set(attempts)) == len(attempts), (self.name, attempts)
        theirs = {
            one["metadata"]["attempt_id"]: one["amount_received"]
            for one in self.intents
            if one["status"] == "succeeded"
        }
        ours = {one["payment_id"]: one["amount"] for one in self.account["payments"]}
        assert {name: ours.get(name) for name in theirs} == theirs, self.name
        taken_at_the_desk = sum(amount for name, amount in ours.items() if name not in theirs)
        assert taken_at_the_desk == _of(self._sums(), "outside"), self.name

    def _nothing_is_paid_twice(self) -> None:
        """Invariant 3: an invoice is paid whole and once (PAY-4); whatever came on top is the client's, and what their
        bank took back may be paid again."""
        paid = Counter(name for one in self.account["payments"] for name in one["invoice_ids"])
        twice = [name for name, times in paid.items() if times > 1]
        given_back = self.account["credit"] or self.refunds or self.disputes
        assert not twice or given_back, (self.name, twice)

    def _every_payment_has_its_receipt(self) -> None:
        """PAY-11."""
        receipts = Counter(_cents(mail) for mail in self.mails if mail["kind"] == "receipt")
        assert receipts == Counter(one["amount"] for one in self.account["payments"]), self.name

    def _no_charge_came_unannounced(self) -> None:
        """Invariant 3, AUTO-3: what was charged without the client being there was in a mail before."""
        notices = [instant(mail["sent_at"]) for mail in self.mails if mail["kind"] in ANNOUNCES]
        for one in self.intents:
            if one["metadata"].get("consent"):
                at = datetime.fromtimestamp(one["created"], UTC)
                assert any(sent <= at - LEAST_NOTICE for sent in notices), (self.name, at, notices)

    def _no_mail_asks_for_what_was_not_owed(self) -> None:
        """Invariant 7: whoever was asked for an amount owed it at that minute."""
        for mail in self.mails:
            if mail["kind"] in ASKS and _DOLLARS.search(mail["subject"]):
                owed = _owed_at(instant(mail["sent_at"]), self.facts)
                assert _cents(mail) <= owed, (self.name, mail["subject"], mail["sent_at"], owed)


def _no_mail_is_unexplained(found: Found, may_repeat: bool) -> None:
    """A mail that no notice of ours claims is one whose sender never heard that it was taken, and sent it again in the
    same words."""
    known = {_words(mail) for mail in found.mails if mail["kind"]}
    for mail in found.mails:
        if not mail["kind"]:
            assert may_repeat, mail["subject"]
            assert _words(mail) in known, mail["subject"]


def _owed_at(moment: datetime, facts: Iterable[Json]) -> int:
    """The most that was owed at any point of that minute."""
    owed = most = 0
    for fact in facts:
        at = instant(fact["at"])
        if at <= moment:
            owed += sum(entry["amount"] for entry in fact["entries"] if entry["book"] == "receivable")
            most = owed if at < moment else max(most, owed)
    return most


def _withdrawn(dispute: Json) -> int:
    """What the bank took out of our money and did not give back, in cents."""
    return -sum(int(moved["amount"]) for moved in dispute["balance_transactions"])


def _cents(mail: Json) -> int:
    """The amount that a mail's subject names."""
    found = _DOLLARS.search(mail["subject"])
    assert found, mail["subject"]
    return int(found[1].replace(",", "")) * 100 + int(found[2])


def _words(mail: Json) -> tuple[str, str, str]:
    """To whom and what; the link carries when it was made."""
    return mail["to"], mail["subject"], _PAY_LINK.sub("/pay/…", mail["text"])


def _of(sums: Mapping[tuple[str, str], int], book: str) -> int:
    return sum(amount for (name, _), amount in sums.items() if name == book)


def _by(pairs: Iterable[tuple[str, Json]]) -> Mapping[str, Sequence[Json]]:
    grouped: dict[str, list[Json]] = {}
    for name, one in pairs:
        grouped.setdefault(name, []).append(one)
    return grouped
