"""The auditor: independent books, from what the workload did and from Stripe's own objects, never by asking our rules.

While people act, the auditor writes down what they agreed to, turned off and stopped, and what each claim may at most
have become. At the end it computes what every client owes and holds it against our books and Stripe's payments; and
it judges every automatic charge at Stripe by the mails that were accepted and the clicks that were made.
"""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from billing.account import Books
from billing.claim_state import Hold
from billing.facts import FactKind
from billing.ids import client_of, holds_pk, reviews_pk
from billing.invariants import CLOCKS_DIFFER, AccountRows
from billing.notice import NoticeKind
from billing.payment import Attempt, AttemptState
from billing.policy import Overpayment
from billing.review import ListedReview
from functions.change_invoice.flow import Order
from tests.sim.reckoning import Client, Did, Word, wrong_with
from tests.sim.told import judge_told
from tests.sim.tries import judge_tries

if TYPE_CHECKING:
    from tests.sim.world import World

UNDER_WAY = timedelta(seconds=5)
"""A charge that was being sent when a client said stop may still arrive; one sent later than this may not."""
NOTICE = timedelta(hours=4)
LOOKED_INTO = (FactKind.INVOICE_PUT_IN_REVIEW, FactKind.INVOICE_RESUMED, FactKind.INVOICE_CORRECTED)
"""What begins a review, and what ends one: it goes on as it was, or otherwise."""
SMALLEST = 50
"""Stripe charges nothing below 50 cents (INV-11)."""


class Auditor:
    """One practice's world."""

    def __init__(self, world: "World", practice: str) -> None:
        self._world, self._practice = world, practice
        self._weather = world.weather
        self.claims: defaultdict[str, dict[str, Word]] = defaultdict(dict)
        self.agreed: defaultdict[str, list[datetime]] = defaultdict(list)
        self.turned_off: defaultdict[str, list[datetime]] = defaultdict(list)
        self.stopped: defaultdict[str, list[datetime]] = defaultdict(list)
        self.steady: set[str] = set()
        self.online: list[tuple[datetime, bool]] = []
        self.orders: dict[str, Did] = {}
        self._staff_spoke: dict[str, datetime] = {}
        self._frozen: dict[str, datetime] = {}
        self._bounced: dict[str, datetime] = {}
        self._reviews: dict[str, list[Any]] = {}

    def hears(self, claim_id: str, client: str, word: Word) -> None:
        """What payers are going to say of that claim."""
        self.claims[client][claim_id] = word

    def hears_of_staff(self, claim_id: str, client: str, amount: int, at: datetime) -> None:
        """Staff had the last word about that claim or session then; an answer that comes late tells of an older one."""
        if at < self._staff_spoke.get(claim_id, at):
            return
        self._staff_spoke[claim_id] = at
        before = self.claims[client][claim_id]
        self.claims[client][claim_id] = Word(frozenset({amount}), before.meanwhile | before.amounts)

    def in_review(self, review_id: str, invoice_id: str) -> None:
        """From now on nothing is charged for that invoice (INV-7)."""
        self._reviews.setdefault(review_id, [invoice_id, self._world.now, None])

    def review_ends(self, review_id: str) -> None:
        """From now on it may be announced again."""
        known = self._reviews.get(review_id)
        if known is not None and known[2] is None:
            known[2] = self._world.now

    def was_done(self, order: Order, amount: int) -> None:
        """Staff were told that their order is done, for so many cents; told again, it is the same."""
        client = client_of(order.invoice_id) or ""
        did = (order.deed, client, order.invoice_id, amount)
        if self.orders.setdefault(order.idempotency_key, did) != did:
            self._fail(client, f"{order.idempotency_key} did {self.orders[order.idempotency_key]}, and now {did}")

    def audit(self) -> None:
        """Everything is concluded: compare, and stop at the first difference."""
        for client in sorted(self.claims):
            account = self._world.judge.account(self._practice, client)
            books = account.books
            self._judge_balance(client, books)
            self._judge_reviews(client, books)
            self._judge_money_back(client, account)
            if client in self.steady and self._reachable():
                self._judge_steady(client, account)
            self._judge_receipts(client, account)
            letters = {mail.notice_id: mail.letter for mail in self._world.mailbox.to[client]}
            for wrong in judge_told(account, letters, self._world.judge.commit_of):
                self._fail(client, wrong)
            self._looked_into = [f for f in account.facts if f.kind in LOOKED_INTO]
            self._bounced = {f.item: f.at for f in account.facts if f.kind == FactKind.NOTICE_BOUNCED}
            self._judge_autopay(client, books)
            theirs = list(self._world.stripe.intents_of(self._practice, client))
            for wrong in judge_tries(account, theirs, self._world.judge.practice(self._practice)):
                self._fail(client, wrong)
            for intent in theirs:
                known = intent["metadata"]
                if "consent" in known:
                    attempt = books.attempt(int(known["attempt"]))
                    if attempt is None:
                        self._fail(client, f"{intent['id']} charges an attempt that was never written")
                    self._judge_charge(client, intent, attempt, books)

    def _judge_balance(self, client: str, books: Books) -> None:
        """What the client owes, reckoned without our rules."""
        stripe, orders = self._world.stripe, tuple(did for did in self.orders.values() if did[1] == client)
        theirs = Client(
            self.claims[client],
            orders,
            tuple(stripe.payments(self._practice, client)),
            tuple(stripe.refunds(self._practice, client)),
            tuple(stripe.disputes(self._practice, client)),
            self._world.judge.practice(self._practice).policy.overpayment is Overpayment.CREDIT,
        )
        for wrong in wrong_with(books, theirs):
            self._fail(client, wrong)

    def _judge_money_back(self, client: str, account: AccountRows) -> None:
        """Each refund is one refund at Stripe. A dispute's charge is not repeated."""
        refunds = self._world.stripe.refunds(self._practice, client)
        ours = Counter(refund.refund_id for refund in refunds if refund.refund_id)
        for refund in account.books.refunds:
            if ours[refund.refund_id] > 1:
                self._fail(client, f"{refund.refund_id} is {ours[refund.refund_id]} refunds at Stripe")
            if refund.reason == "never_reached" and self._reachable():
                self._fail(client, f"{refund.refund_id} was never sent, and nothing stood in its way")
        self._frozen = {}
        for fact in account.facts:
            payment = account.books.attempt(int(fact.data["attempt"])) if fact.kind == FactKind.DISPUTE_OPENED else None
            for part in payment.paid_parts if payment else ():
                self._frozen[part.invoice_id] = min(fact.at, self._frozen.get(part.invoice_id, fact.at))
        for fact in account.facts:
            if fact.kind == FactKind.INVOICE_JOINED_AUTOPAY:
                self._frozen.pop(str(fact.data["invoice_id"]), None)

    def _judge_autopay(self, client: str, books: Books) -> None:
        """Autopay is on only where the client's last word was yes (LAW-7)."""
        never = datetime.min.replace(tzinfo=UTC)
        yes, no = (max(when[client], default=never) for when in (self.agreed, self.turned_off))
        if books.account.autopay and yes + UNDER_WAY < no:
            self._fail(client, f"has autopay on, agreed to at {yes} and turned off at {no}")

    def _judge_steady(self, client: str, account: AccountRows) -> None:
        """Who is enrolled with a good card has nothing left to pay of what was issued since."""
        since = min((f.at for f in account.facts if f.kind == FactKind.AUTOPAY_ENROLLED), default=None)
        for invoice in account.books.invoices:
            if since is not None and invoice.issued_at > since and invoice.open_amount >= SMALLEST:
                self._fail(client, f"is enrolled, has a good card, and {invoice.invoice_id} was never charged")

    def _reachable(self) -> bool:
        """Whether every charge reached Stripe: one that did not within 20 hours is a failed try."""
        return (self._weather.stripe, self._weather.crash, self._weather.delay) == (0, 0, 0)

    def _judge_reviews(self, client: str, books: Books) -> None:
        """A bill stands still only while somebody is to decide something about it (INV-7), and who decides finds it in
        the practice's list (DESK-4)."""
        holds = self._world.store.partition(holds_pk(self._practice), "HOLD#")
        waiting = {hold.hold_id for hold in holds if isinstance(hold, Hold)}
        reviews = {review.review_id for review in books.reviews if review.is_open}
        rows = [row for row in self._world.store.partition(reviews_pk(self._practice)) if isinstance(row, ListedReview)]
        listed = {row.review_id for row in rows if row.client == client and row.is_open}
        if listed != reviews:
            self._fail(client, f"waits for {sorted(reviews)}, and the list has {sorted(listed)}")
        waiting |= reviews
        for invoice in books.invoices:
            if not waiting.issuperset(invoice.reviews):
                self._fail(client, f"{invoice.invoice_id} stays in review, and nobody has anything to decide")

    def _judge_receipts(self, client: str, account: AccountRows) -> None:
        """Each payment has one receipt, sent or refused by the mail service (PAY-11)."""
        payments = [a for a in account.books.attempts if a.state is AttemptState.POSTED and a.parts]
        receipts = [p for p in account.postings if p.notice is NoticeKind.RECEIPT]
        if len(payments) != len(receipts):
            self._fail(client, f"made {len(payments)} payments and was sent {len(receipts)} receipts")
        asked, told = account.books.reviews, [p for p in account.postings if p.notice is NoticeKind.REVIEW_OPENED]
        if len(asked) != len(told):
            self._fail(client, f"has {len(asked)} bills looked into and was told so {len(told)} times")

    def _judge_charge(self, client: str, intent: dict[str, Any], attempt: Attempt, books: Books) -> None:
        """One automatic charge, by the clicks and mails before it."""
        at = datetime.fromtimestamp(intent["created"], UTC)
        if intent["amount"] != attempt.amount:
            self._fail(client, f"{intent['id']} took {intent['amount']}, the attempt says {attempt.amount}")
        agreed = max((a for a in self.agreed[client] if a <= at), default=None)
        if agreed is None or any(agreed < off < at - UNDER_WAY for off in self.turned_off[client]):
            self._fail(client, f"{intent['id']} at {at} after automatic payments were turned off, or never agreed to")
        if not self._was_online(at):
            self._fail(client, f"{intent['id']} at {at}, while the practice took no payments online")
        for part in attempt.parts:
            invoice = books.invoice(part.invoice_id)
            assert invoice is not None
            if self._was_in_review(part.invoice_id, at - UNDER_WAY):
                self._fail(client, f"{intent['id']} at {at} charges {part.invoice_id}, which was in review by then")
            if at - UNDER_WAY > self._frozen.get(part.invoice_id, at):
                self._fail(client, f"{intent['id']} at {at} charges {part.invoice_id}, of which a payment was disputed")
            if not invoice.plan_id:
                self._judge_notice(client, intent["id"], part.invoice_id, part.amount, at)

    def _was_in_review(self, invoice_id: str, at: datetime) -> bool:
        """Whether somebody looks into it at the time: as they were told, or by the last fact before (INV-7)."""
        for invoice, since, until in self._reviews.values():
            if invoice == invoice_id and since < at and (until is None or at < until):
                return True
        heard = [f for f in self._looked_into if f.data["invoice_id"] == invoice_id and f.at < at]
        last = max(heard, key=lambda f: f.version, default=None)
        return last is not None and last.kind == FactKind.INVOICE_PUT_IN_REVIEW

    def _was_online(self, at: datetime) -> bool:
        """Whether the practice took payments online at some moment of the last minutes (PAY-10)."""
        before = [on for when, on in self.online if when < at - UNDER_WAY]
        return (before or [True])[-1] or any(on for when, on in self.online if at - UNDER_WAY <= when <= at)

    def _judge_notice(self, client: str, intent_id: str, invoice_id: str, amount: int, at: datetime) -> None:
        """The charge's own notice was accepted 4 h before, named no later moment, did not come back, and the client did
        not stop what it announced."""
        notices = []
        for mail in self._world.mailbox.to[client]:
            if (
                mail.letter.kind is NoticeKind.CHARGE_NOTICE
                and mail.letter.client == client
                and mail.at <= at - NOTICE + CLOCKS_DIFFER
            ):
                posting = self._world.posting(mail.letter, mail.notice_id)
                came_back = self._bounced.get(posting.key.sk, at)
                if invoice_id in posting.invoice_ids and came_back >= at - UNDER_WAY:
                    notices.append(mail)
        notices = [m for m in notices if m.letter.moment is not None and m.letter.moment <= at + CLOCKS_DIFFER]
        if not notices:
            self._fail(client, f"{intent_id} charges {invoice_id} at {at}, and no notice said so")
        if amount > max(m.letter.amount for m in notices):
            self._fail(client, f"{intent_id} takes {amount} for {invoice_id} at {at}, and no notice named as much")
        newest = max(m.at for m in notices)
        for stop in self.stopped[invoice_id]:
            if newest < stop < at - UNDER_WAY:
                self._fail(client, f"{intent_id} charges {invoice_id} at {at}, which the client stopped at {stop}")

    def _fail(self, client: str, what: str) -> NoReturn:
        self._world.judge.fail(f"the auditor, about {client}: {what}")
