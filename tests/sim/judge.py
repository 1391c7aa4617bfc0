"""The judge: asks billing/invariants.py after every step and stops the run at the first broken one.

It sees every commit (`WatchedStore`), every letter and every byte that leaves for Stripe, and keeps the little that no
single moment shows: when an invoice was settled.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from billing.account import Account
from billing.claim_file import hold_id
from billing.claim_state import ClaimState, Hold, ReceivedResult
from billing.facts import Fact, FactKind, Message
from billing.ids import Key, account_key, account_pk, claim_pk, facts_pk, holds_pk, practice_key
from billing.invariants import (
    CLOCKS_DIFFER,
    AccountRows,
    Broken,
    asks_for_what_is_paid,
    check_account,
    claim_results_end_once,
    disputes_are_stripes,
    leaks,
    nothing_is_overdue,
    nothing_taken_in_excess,
    only_patient_responsibility_is_billed,
    payments_are_stripes,
    refunds_are_stripes,
    written_once,
)
from billing.invoice import Invoice
from billing.notice import Letter, Posting
from billing.payment import Attempt, AttemptKind
from billing.plan import Plan
from billing.policy import Practice
from billing.ports import Check, Conflict, Insert, Record, Write
from billing.reconciliation import FINDINGS_PK, RECONCILIATION_KEY, Finding, Reconciliation
from billing.review import Review
from tests.fakes.store import MemoryStore
from tests.sim.stripe_side import withdrawn
from tests.sim.trace import Trace

if TYPE_CHECKING:
    from tests.sim.world import World

RECENT = timedelta(days=3)
"""A charge is judged by what allowed it until it is so old; all that is written once and cannot change."""
IN_A_ROW = 3
"""Failed charges that end autopay (AUTO-8)."""
LEASE = timedelta(minutes=4, seconds=50)
"""What is woken with a lease is left alone for so long (five minutes, on clocks that do not agree)."""
FRESH_FOR = timedelta(minutes=1, seconds=10)
"""What has been due for no longer may be woken without a lease (a minute, on clocks that do not agree)."""
OVERDUE_AFTER = timedelta(hours=1)
"""Invariant 10's bound once faults have stopped."""


TOLD_LINES = 60
"""How much of the story a failure tells."""


class Failure(AssertionError):
    """The simulation found something. Its text tells what, how it came to that, and how to see it again."""


class WatchedStore(MemoryStore):
    """The table, with a judge who sees each commit that succeeded."""

    def __init__(self, shards: int, judge: "Judge", trace: Trace) -> None:
        super().__init__(shards)
        self._judge, self._trace = judge, trace

    def commit(self, *writes: Write) -> None:
        """As the table does; then the judge looks."""
        try:
            super().commit(*writes)
        except Conflict:
            self._trace.met["lost race" if len(writes) > 1 else "met a repetition"] += 1
            raise
        for write in writes:
            if type(write) is not Check:
                record = write.record
                key = record.key
                self._trace.wrote(type(write).__name__, key.pk, key.sk, record.version)
                self._judge.saw(record, key, self.commits, changed=type(write) is not Insert)


class Judge:
    """`secrets`: what must not stand in anything that leaves; the workload fills it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.care_secrets: set[str] = set()
        self.personal_secrets: set[str] = set()
        self._accounts: set[tuple[str, str]] = set()
        self._claims: set[tuple[str, str]] = set()
        self._touched_accounts: set[tuple[str, str]] = set()
        self._touched_claims: set[tuple[str, str]] = set()
        self._settled: dict[Key, int] = {}
        self._instalments: dict[Key, tuple[int, ...]] = {}
        self._policy_since: datetime | None = None
        self._noted: dict[Key, int] = {}
        self.commit_of: dict[Key, int] = {}
        self._leased: dict[Key, tuple[int, datetime]] = {}

    # ---- what passes by ----

    def saw(self, record: Record, key: Key, commit: int, *, changed: bool) -> None:
        """A row was written in that commit."""
        if changed:
            self.require(written_once(record))
        if isinstance(record, Account) and record.autopay and record.failed_charges >= IN_A_ROW:
            self.fail(f"autopay of {record.client} stays on after {record.failed_charges} charges in a row failed")
        if isinstance(record, Attempt) and not changed:
            self._relies_on_its_account(record)
        if isinstance(record, Plan):
            self._shrinks_from_its_end(record)
        if isinstance(record, Fact):
            self.commit_of[key] = commit
        if isinstance(record, Review) and not changed:
            self._is_looked_into_once(record)
        if isinstance(record, Fact) and record.kind in (FactKind.NOTICE_SENT, FactKind.NOTICE_BOUNCED):
            self._noted.setdefault(Key(key.pk, record.item), commit)
        if key.pk[0] in "AF":
            self._touched_accounts.add((record.practice, record.client))  # type: ignore[attr-defined]
        elif key.pk[0] == "C":
            claim = record.claim_id if isinstance(record, ClaimState) else key.pk.split("#")[2]
            self._touched_claims.add((record.practice, claim))  # type: ignore[attr-defined]
        if isinstance(record, Invoice):
            if record.open_amount:
                self._settled.pop(key, None)
            else:
                self._settled.setdefault(key, commit)

    def _is_looked_into_once(self, review: Review) -> None:
        """INV-7: whoever asks again while somebody looks into a bill meets the review there is."""
        rows = self._world.store.partition(review.key.pk, "REVIEW#")
        of_bill = [row for row in rows if isinstance(row, Review) and row.invoice_id == review.invoice_id]
        if sum(one.is_open for one in of_bill) > 1:
            self.fail(f"{review.invoice_id} is looked into twice at once: {[one.review_id for one in of_bill]}")

    def _shrinks_from_its_end(self, plan: Plan) -> None:
        """PLAN-9: what is owed less is taken off a plan's last instalments; nothing is left behind one that shrank."""
        before, now = self._instalments.get(plan.key, ()), tuple(one.amount for one in plan.instalments)
        for place, amount in enumerate(now):
            if place < len(before) and amount < before[place] and any(now[place + 1 :]):
                self.fail(f"{plan.plan_id}: instalment {place + 1} shrank to {amount}, and is not one of its last")
        self._instalments[plan.key] = now

    def policy_changed(self) -> None:
        """The practice chose something else: every charge up to now was judged by what it chose before."""
        self._policy_since = self._world.now + CLOCKS_DIFFER

    def _relies_on_its_account(self, attempt: Attempt) -> None:
        """Consent and card of a charge are the account's in the very commit that writes it."""
        account = self._world.store.get(account_key(attempt.practice, attempt.client))
        assert isinstance(account, Account)
        now = (account.autopay, account.consent_id, account.default_card)
        if attempt.channel is AttemptKind.AUTOPAY and now != (True, attempt.consent_id, attempt.card_id):
            self.fail(f"{attempt.attempt_id} relies on an account that was changed before it was written: {now}")

    def woken(self, messages: Iterable[tuple[str, Message]]) -> Iterator[tuple[str, Message]]:
        """What a sweep sends: a row that nobody has changed is not woken again before its lease has run out, and only
        what fell due just now is woken without one."""
        for verb, message in messages:
            store, now = self._world.store, self._world.now
            row, entry = store.get(message.key), store.due_entry(message.key)
            version, last = self._leased.get(message.key, (0, now - LEASE))
            if row is not None and row.version == version and now - last < LEASE:
                self.fail(f"{message.kind} {message.key} is woken again within its lease, {now - last} after the last")
            due_at = datetime.fromisoformat(entry.partition("#")[0]) if entry else now
            if due_at - now > LEASE / 2 and row is not None:  # clocks differ: a lease that ended may seem to go on
                self._leased[message.key] = (row.version, now)
            elif now - due_at > FRESH_FOR:
                self.fail(f"{message.kind} {message.key} is woken without a lease, {now - due_at} after it fell due")
            yield verb, message

    def leaves_for_stripe(self, request: str) -> None:
        """A request on its way to Stripe: opaque ids and amounts only."""
        self.require(leaks("a request to Stripe", request, self.care_secrets))
        self.require(leaks("a request to Stripe", request, self.personal_secrets))

    def leaves_by_mail(self, posting: Posting, letter: Letter, began: int, *, repeated: bool) -> None:
        """A letter whose step began after commit number `began`; `repeated`: it was accepted before, and is known to
        repeat what was true then."""
        words = (letter.card, letter.reason, letter.what_to_do, letter.practice_name, *(i.label for i in letter.items))
        self.require(leaks(f"a {letter.kind} mail", "\n".join(words), self.care_secrets))
        if self._noted.get(posting.key, began + 1) <= began:
            self.fail(f"a {letter.kind} mail is sent that was known to be sent, or to be refused")
        if repeated:
            return
        pk = account_pk(posting.practice, posting.client)
        invoices = (self._world.store.get(Key(pk, f"INVOICE#{i}#")) for i in posting.invoice_ids)
        then_paid = (i for i in invoices if isinstance(i, Invoice) and self._settled.get(i.key, began + 1) <= began)
        self.require(asks_for_what_is_paid(letter.kind, then_paid))

    # ---- what stands ----

    def check_touched(self) -> None:
        """The accounts and claims that were written since the last check."""
        accounts, self._touched_accounts = self._touched_accounts, set()
        claims, self._touched_claims = self._touched_claims, set()
        for practice, client in sorted(accounts):
            self.check_account(practice, client, concluded=False)
        for practice, claim in sorted(claims):
            self.check_claim(practice, claim, concluded=False)
        self._accounts |= accounts
        self._claims |= claims

    def check_everything(self, *, concluded: bool) -> None:
        """Every account and claim there is; `concluded`: all work is done, so nothing may be missing either."""
        self.check_touched()
        for practice, client in sorted(self._accounts):
            self.check_account(practice, client, concluded=concluded)
            if client:
                self._check_stripe(practice, client, concluded=concluded)
        for practice, claim in sorted(self._claims):
            self.check_claim(practice, claim, concluded=concluded)
        if concluded:
            store = self._world.store
            every = (item for shard in range(store.shards) for item in store.due(shard, self._world.now, 100))
            due = (item for item in every if item.key != RECONCILIATION_KEY)  # its last night is yet to come
            self.require(nothing_is_overdue(due, self._world.now, OVERDUE_AFTER))

    def _check_stripe(self, practice: str, client: str, *, concluded: bool) -> None:
        """Invariant 8, on one account."""
        books, stripe = self.account(practice, client).books, self._world.stripe
        self.require(payments_are_stripes(books, stripe.payments(practice, client), concluded=concluded))
        self.require(refunds_are_stripes(books, stripe.refunds(practice, client), concluded=concluded))
        disputes = map(withdrawn, stripe.disputes(practice, client))
        self.require(disputes_are_stripes(books, disputes, concluded=concluded))

    def account(self, practice: str, client: str) -> AccountRows:
        """The rows of an account that must be there."""
        partition = self._world.store.partition
        rows = AccountRows.of(partition(account_pk(practice, client)), partition(facts_pk(practice, client)))
        assert rows is not None, f"{practice} has no account {client}"
        return rows

    def practice(self, practice: str) -> Practice:
        """The practice's row."""
        row = self._world.store.get(practice_key(practice))
        assert isinstance(row, Practice)
        return row

    def check_account(self, practice: str, client: str, *, concluded: bool) -> None:
        """Invariants 1 to 5, on one account. What allowed a charge is written once: it is judged in its first days."""
        if client:
            rows, recently = self.account(practice, client), self._world.now - RECENT
            since = max(self._policy_since or recently, recently)
            self.require(check_account(rows, self.practice(practice), since))
            self.require(nothing_taken_in_excess(rows))

    def check_claim(self, practice: str, claim_id: str, *, concluded: bool) -> None:
        """Invariants 6 and 11, on one claim."""
        store = self._world.store
        rows = store.partition(claim_pk(practice, claim_id))
        results = [row for row in rows if isinstance(row, ReceivedResult)]
        state = next((row for row in rows if isinstance(row, ClaimState)), None)
        holds = self._holds(practice, claim_id, results, every=concluded)
        self.require(claim_results_end_once(results, state, holds, concluded=concluded))
        if state is None or not state.client:
            return
        invoices: list[Invoice] = []
        for invoice_id in {*state.invoices, *(v.invoice_id for v in state.verdicts if v.invoice_id)}:
            invoice = store.get(Key(account_pk(practice, state.client), f"INVOICE#{invoice_id}#"))
            if not isinstance(invoice, Invoice):
                self.fail(f"claim {claim_id} names invoice {invoice_id}, which does not exist")
            invoices.append(invoice)
        self.require(only_patient_responsibility_is_billed(invoices, state, results))

    def check_findings(self, nights: Reconciliation) -> None:
        """Production's own nightly check agrees that all is well, now that all work is done."""
        findings = self._world.store.partition(FINDINGS_PK)
        found = [f"{f.invariant} {f.where}: {f.what}" for f in findings if isinstance(f, Finding) and not f.resolved_at]
        if found or nights.last.sent_again:
            self.fail(f"the last night sent {nights.last.sent_again} messages again, and found {found}")

    def _holds(self, practice: str, claim_id: str, results: Iterable[ReceivedResult], *, every: bool) -> list[Hold]:
        """What of the claim waits for a person: by its results, or, `every`, whatever is stored."""
        store = self._world.store
        if every:
            rows: Iterable[Record | None] = store.partition(holds_pk(practice))
        else:
            ids = (hold_id(practice, r.result.result_key()) for r in results)
            rows = store.get_many([Key(holds_pk(practice), f"HOLD#{one}#") for one in ids])
        return [row for row in rows if isinstance(row, Hold) and row.claim_id == claim_id]

    # ---- the verdict ----

    def require(self, findings: Iterable[Broken]) -> None:
        """Stop at the first finding."""
        for finding in findings:
            self.fail(str(finding))

    def fail(self, what: str, because: BaseException | None = None) -> NoReturn:
        """Stop the run."""
        world = self._world
        story = world.story(last=TOLD_LINES)
        again = f"\n\nsee it again: make sim SEED={world.seed}" if world.seed is not None else ""
        raise Failure(f"{story}\n\n{what}{again}") from because
