"""One slice of a nightly run at work: it reads an account, a claim or an object of Stripe's, asks the invariants, mends
what is safe to mend, and writes down what a person must see.

What is read twice may change between: an account is found broken only where a second read of it is equal to the first.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from billing.account import Books, Contact
from billing.claim_file import hold_id
from billing.claim_state import ClaimState, Hold, ReceivedResult, StoredBody, Submission
from billing.desk import Desk
from billing.facts import ROUTES, FactKind, Message
from billing.gates import Gate
from billing.ids import Key, account_pk, contact_key, facts_pk, holds_pk, invoice_key, practice_key, provider_key
from billing.invariants import (
    AccountRows,
    Broken,
    check_account,
    claim_results_end_once,
    only_patient_responsibility_is_billed,
)
from billing.invoice import Invoice
from billing.payment import Attempt, AttemptKind, AttemptState
from billing.policy import Practice, Provider
from billing.ports import CardGateway, DueItem, Insert, Owner, Record, Store, TryAgain, Update
from billing.reconciliation import FINDINGS_KEPT, FOR_EVER, Counts, Finding, finding_id
from billing.reconciling import (
    CONCLUDED_AFTER,
    OVERDUE_AFTER,
    OVERLAP,
    STILL_UNDER_WAY,
    judge_payment,
    judge_return,
    mails_overdue,
    missing_at_stripe,
    missing_returns,
    unsent,
)
from billing.statement import Statement, TheirPayment, TheirReturn
from functions.reconcile.bodies import lost_messages
from functions.settle_payment.flow import settle_attempt, settle_what_went_back

Send = Callable[[Iterable[tuple[str, Message]]], int]

READS: Final = 3
MOVED_BY_A_WAKE: Final = timedelta(minutes=10)
"""An entry of the index no further ahead than this may be one that was woken and whose work nobody did."""
AT_STRIPE: Final = "STRIPE#"
"""What a finding about one of Stripe's objects is looked up by, in place of a partition."""


@dataclass
class Night:
    """`number`, `run`: which run this is, and when it began · `since`: when the one before did · `spent`: how much this
    slice has done."""

    store: Store
    cards: CardGateway
    statement: Statement
    send: Send
    number: int
    run: datetime
    since: datetime
    now: datetime
    counts: Counts
    spent: int = 0
    _looked_at: set[str] = field(default_factory=set)

    # ---- Stripe's objects ----

    def met(self, objects: int) -> None:
        """A page was read."""
        self.spent += 1
        self._count(objects=objects)

    def payment(self, theirs: TheirPayment) -> None:
        """One payment intent against our attempt, then the books it is in. What Stripe knows and we missed is settled
        as its webhook would have settled it."""
        practice = self.store.get(practice_key(theirs.practice))
        books = Books.read(self.store, theirs.practice, theirs.client)
        if not isinstance(practice, Practice) or books is None:
            return  # another copy of Kindbill on the same Stripe account
        self.spent += 1
        judged = judge_payment(books, theirs)
        if judged.settle:
            attempt = books.attempt(judged.settle)
            assert attempt is not None, f"attempt {judged.settle} was there a moment ago"
            settle_attempt(self.store, self.cards, books, attempt, self.now)
            judged = judge_payment(Books.expect(self.store, theirs.practice, theirs.client), theirs)
            missed = f"Stripe took {theirs.amount}, which we had not booked"
            self.found(Broken(8, theirs.intent_id, missed), Key(AT_STRIPE, theirs.intent_id), mended=not judged.settle)
        if judged.broken:
            self.found(judged.broken, Key(AT_STRIPE, theirs.intent_id))
        self.account(books.account.key.pk)

    def went_back(self, theirs: TheirReturn) -> None:
        """One refund or dispute against our books, mended as a payment is."""
        self.spent += 1
        owner = theirs.owner or self.cards.owner_of(theirs.intent_id)
        books = Books.read(self.store, owner.practice, owner.client) if owner else None
        payment = books.attempt(owner.attempt) if owner and books else None
        if books is None or payment is None:
            return  # another copy's, or of a payment that is a finding itself
        subject = Key(AT_STRIPE, theirs.intent_id)
        missed = judge_return(books, theirs.evidence)
        if missed:
            settle_what_went_back(self.store, self.cards, payment, self.now)
            still = judge_return(Books.expect(self.store, payment.practice, payment.client), theirs.evidence)
            self.found(still or missed, subject, mended=still is None)
        if missed or theirs.created >= self.since - OVERLAP:
            self.account(books.account.key.pk)

    # ---- accounts ----

    def account(self, pk: str, since: datetime | None = None) -> None:
        """The books of one account: invariants 1 to 5, its payments since the last run (or `since`) at Stripe, its
        mails."""
        if pk in self._looked_at:
            return
        self._looked_at.add(pk)
        self.spent += 2
        self._count(accounts=1)
        broken = self._certain(pk, lambda rows: self._account(rows, since or self.since - STILL_UNDER_WAY))
        for one in broken:
            self.found(one, Key(pk, "ACCOUNT#"))

    def _account(self, stored: list[Record], since: datetime) -> Iterator[Broken]:
        books = Books.of(stored)
        if books is None:
            yield Broken(2, "ACCOUNT#", "there is no account row")
            return
        account = books.account
        practice = self.store.get(practice_key(account.practice))
        rows = AccountRows.of(stored, self.store.partition(facts_pk(account.practice, account.client)))
        assert isinstance(practice, Practice), f"no practice {account.practice}"
        assert rows is not None, "there is an account row"
        # By no policy: one that changed today says nothing about this morning's charges.
        yield from check_account(rows)
        yield from self._payments_are_stripes(books, since)
        yield from self._mails(rows, practice)

    def _payments_are_stripes(self, books: Books, since: datetime) -> Iterator[Broken]:
        ours = [a for a in books.attempts if _took_money(a) and a.posted_at is not None and a.posted_at >= since]
        if ours:
            customers = sorted({a.customer for a in ours})
            theirs = self.statement.payments_of(customers, min(a.started_at for a in ours))
            yield from missing_at_stripe(ours, theirs)
        back = {r.intent_id for r in books.refunds if r.settled_at is not None and r.settled_at >= since}
        disputed = {d.payment for d in books.disputes if d.opened_at >= since}
        for intent in sorted(back | {a.intent_id for a in books.attempts if a.number in disputed}):
            yield from missing_returns(books, intent, self.cards.taken_back(intent))

    def _mails(self, rows: AccountRows, practice: Practice) -> Iterator[Broken]:
        """Send what was lost again, and tell what stays lost."""
        account = rows.books.account
        contact, provider = self.store.get_many(
            [contact_key(account.practice, account.client), provider_key(account.practice, account.provider)]
        )
        if not isinstance(contact, Contact):
            return  # erased: nobody is left to write to
        desk = Desk(practice, provider if isinstance(provider, Provider) else None, contact, rows.books)
        lost = list(unsent(rows, desk, self.run))
        self.send_again(*(Message(fact.kind, fact.key) for fact in lost))
        yield from mails_overdue(lost, self.run)

    # ---- claims ----

    def claim(self, pk: str) -> None:
        """One claim: each result has one verdict, a held one is on hold, and what was billed is what was decided; and
        the books it was billed to."""
        if pk in self._looked_at:
            return
        self._looked_at.add(pk)
        self.spent += 1
        self._count(claims=1)
        for one in self._certain(pk, self._claim):
            self.found(one, Key(pk, "STATE#"))
        state = self.store.get(Key(pk, "STATE#"))
        if isinstance(state, ClaimState) and any(v.invoice_id for v in state.verdicts):
            self.account(account_pk(state.practice, state.client))

    def _claim(self, rows: list[Record]) -> Iterator[Broken]:
        state = next((r for r in rows if isinstance(r, ClaimState)), None)
        submission = next((r for r in rows if isinstance(r, Submission)), None)
        results = [r for r in rows if isinstance(r, ReceivedResult)]
        verdicts = state.verdicts if state else ()
        held: list[Hold] = []
        if state:
            keys = [Key(holds_pk(state.practice), f"HOLD#{hold_id(state.practice, v.result)}#") for v in verdicts]
            held = [h for h in self.store.get_many(keys) if isinstance(h, Hold)]
        if submission and any(v.reason == Gate.UNMATCHED_CLAIM for v in verdicts):
            self.send_again(Message(FactKind.CLAIM_SUBMITTED, submission.key))
        yield from claim_results_end_once(results, state, held, concluded=False)
        old = [r for r in results if r.at < self.run - CONCLUDED_AFTER]
        judged = {v.result for v in verdicts}
        yield from (Broken(6, str(r.key), "has no verdict") for r in old if r.result.result_key() not in judged)
        if state is None or not state.client:
            return
        named = dict.fromkeys((*state.invoices, *(v.invoice_id for v in verdicts if v.invoice_id)))
        keys = [invoice_key(state.practice, state.client, name) for name in named]
        found = self.store.get_many(keys) if keys else []
        for name, row in zip(named, found, strict=True):
            if row is None:
                yield Broken(6, name, "a verdict names this invoice, which does not exist")
        invoices = [row for row in found if isinstance(row, Invoice)]
        yield from only_patient_responsibility_is_billed(invoices, state, results)

    # ---- work ----

    def due(self, item: DueItem) -> None:
        """An entry of the due index: was it left lying, and are the books it belongs to in order?"""
        self.spent += 1
        if item.due_at < f"{self.now + MOVED_BY_A_WAKE:%Y-%m-%dT%H:%M:%SZ}":
            self._overdue(item.key, item.due_at)
        if item.key.pk[0] != "R":  # an upload, or the counts of a long body, whose own turn is another
            self._books_of(item.key.pk)

    def _overdue(self, key: Key, entry: str = "") -> None:
        """10: the row itself says since when it is due; its entry of the index is moved by whoever wakes it. An entry
        that was never moved is of a row that was changed just now: it is woken within the minute."""
        row = self.store.get(key)
        since = row.due if row is not None and not isinstance(row, StoredBody) else None
        if since is not None and since != entry and since < f"{self.now - OVERDUE_AFTER:%Y-%m-%dT%H:%M:%SZ}":
            self.found(Broken(10, f"{key.pk}{key.sk}", f"due since {since}"), key)

    def _books_of(self, pk: str, since: datetime | None = None) -> None:
        match pk[0]:
            case "A":
                self.account(pk, since)
            case "C":
                self.claim(pk)
            case "R":
                if lost_messages(self.store, Key(pk, "BODY#")):
                    self.body_waits(Key(pk, "BODY#"))
            case _:
                pass  # nothing else belongs to an account

    def body_waits(self, key: Key) -> None:
        """10: a body that still misses something, though it was sent again for whole nights."""
        body = self.store.get(key)
        if isinstance(body, StoredBody) and body.at < self.run - CONCLUDED_AFTER:
            self.found(Broken(10, key.pk, f"not concluded, and came {body.at:%Y-%m-%dT%H:%M:%SZ}"), key)

    def look_again(self, subject: Key) -> None:
        """What was found broken there: is it still?"""
        self.spent += 1
        if subject.pk == AT_STRIPE:
            theirs = self.statement.payment(subject.sk)
            if theirs is not None:
                self.payment(theirs)
                owner = Owner(theirs.practice, theirs.client, theirs.attempt)
                taken = self.cards.taken_back(subject.sk)
                back = [TheirReturn(subject.sk, self.run, refund, owner) for refund in taken.refunds]
                back += [TheirReturn(subject.sk, self.run, dispute, owner) for dispute in taken.disputes]
                for one in back:
                    self.went_back(one)
            return
        self._overdue(subject)
        self._books_of(subject.pk, datetime.min.replace(tzinfo=self.run.tzinfo))

    # ---- what is done about it ----

    def send_again(self, *messages: Message) -> None:
        """Messages that were lost, to whoever looks at their kind. One too many only makes a step look twice."""
        sent = self.send((verb, message) for message in messages for verb in ROUTES[message.kind]) if messages else 0
        self._count(sent_again=sent)

    def _certain(self, pk: str, broken_in: Callable[[list[Record]], Iterator[Broken]]) -> list[Broken]:
        """What is broken in a partition, and was not merely being changed while we read."""
        for _ in range(READS):
            try:
                rows = self.store.partition(pk)
                broken = list(broken_in(rows))
                if not broken or self.store.partition(pk) == rows:
                    return broken
            except TryAgain:
                raise
            except Exception as bug:  # noqa: BLE001 - rows that cannot even be checked are a finding, and no reason to stop
                return [Broken(2, pk, f"cannot be checked: {type(bug).__name__}")]
        raise TryAgain(f"{pk} changes too fast to be checked")

    def found(self, broken: Broken, subject: Key, *, mended: bool = False) -> None:
        """Write it down; a person sees it until a later run does not find it any more."""
        identity = finding_id(broken.invariant, subject, broken.where)
        gone = self.now if mended else None
        expires = int((self.now + FINDINGS_KEPT).timestamp()) if mended else FOR_EVER
        finding = Finding(
            identity, 1, broken.invariant, subject.pk, subject.sk, broken.where, broken.what,
            self.number, self.run, self.run, gone, mended, expires,
        )  # fmt: skip
        self._count(mended=int(mended))
        before = self.store.get(finding.key)
        if isinstance(before, Finding):
            again = replace(finding, first_seen=before.first_seen, version=before.version)
            if again != before:
                self.store.commit(Update(replace(again, version=before.version + 1)))
        else:
            self.store.commit(Insert(finding))

    def count_body(self) -> None:
        """All of a body was looked at."""
        self._count(bodies=1)

    def _count(self, **more: int) -> None:
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + n for name, n in more.items()})


def _took_money(attempt: Attempt) -> bool:
    return attempt.state is AttemptState.POSTED and attempt.channel in (AttemptKind.AUTOPAY, AttemptKind.CHECKOUT)
