"""What a practice's own systems may ask and tell: clients, clinicians, submitted claims, accounts, holds, policies.

Each function is one call: it reads, decides, commits at most once, and returns what the call shows. All raise TryAgain
where another writer was first: the same call again then decides anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from billing.account import Account, Books, Contact
from billing.booking import can_book
from billing.choosing import choose
from billing.claim_state import ClaimState, Submission, claim_state_key
from billing.estimating import Known, take_over
from billing.ids import account_key, contact_key, facts_pk, practice_key
from billing.invoice_lines import InvoiceLines
from billing.policy import Policy, Practice, Provider
from billing.ports import Insert, Refused, Store, Update, Write
from billing.reconciliation import RECONCILIATION_KEY, armed


@dataclass(frozen=True)
class Client:
    """Who a client is (contact) and whom they see (account)."""

    contact: Contact
    account: Account


@dataclass(frozen=True)
class Shown:
    """Everything an account's view is made from."""

    books: Books
    lines: tuple[InvoiceLines, ...]
    time_zone: str
    can_book: bool


def put_client(store: Store, wanted: Contact, provider: str) -> tuple[Client, bool]:
    """Create the client with an empty account, or update them -> the client, and whether it is new.

    Raises Refused where the email on file is another: that needs the client's own request and an approval (PORT-5).
    """
    practice, client = wanted.practice, wanted.client
    keys = (practice_key(practice), contact_key(practice, client), account_key(practice, client))
    owner, contact, account = store.get_many(keys)
    if not isinstance(owner, Practice):
        raise Refused("no_practice", f"Practice {practice} is not set up yet: PUT /v1/practices/{practice} first.")
    writes: list[Write] = []
    if isinstance(contact, Contact):
        wanted = _same_person(contact, wanted)
        if wanted != contact:
            wanted = replace(wanted, version=contact.version + 1)
            writes.append(Update(wanted))
    else:
        writes.append(Insert(wanted))
    if not isinstance(account, Account):
        account = Account(practice, client, 1, provider)
        writes.append(Insert(account))
    elif account.provider != provider:
        account = replace(account, provider=provider, version=account.version + 1)
        writes.append(Update(account))
    if writes:
        store.commit(*writes)
    return Client(wanted, account), contact is None


def _same_person(contact: Contact, wanted: Contact) -> Contact:
    """`contact` with what was sent, at its version; what we learnt ourselves stays."""
    if contact.email.casefold() != wanted.email.casefold():
        raise Refused(
            "email_change_needs_approval",
            "The email on file is another one. A change is asked for by the client and approved by the provider; "
            "support then carries it out.",
            rule="PORT-5",
        )
    return replace(wanted, version=contact.version, email=contact.email, mail_bounces=contact.mail_bounces)


def put_practice(store: Store, wanted: Practice, now: datetime) -> tuple[Practice, bool]:
    """Create or update the practice -> the practice, and whether it is new. Its policies stay as they are.

    The first practice of a copy is what its nightly reconciliation begins with.
    """
    stored = store.get(wanted.key)
    if not isinstance(stored, Practice):
        if store.get(RECONCILIATION_KEY) is None:
            store.commit(Insert(armed(now)))
        store.commit(Insert(wanted))
        return wanted, True
    wanted = replace(wanted, version=stored.version, policy=stored.policy, policy_version=stored.policy_version)
    if wanted != stored:
        wanted = replace(wanted, version=stored.version + 1)
        store.commit(Update(wanted))
    return wanted, False


def put_provider(store: Store, wanted: Provider) -> tuple[Provider, bool]:
    """Create or update a clinician -> the clinician, and whether they are new."""
    stored = store.get(wanted.key)
    if not isinstance(stored, Provider):
        store.commit(Insert(wanted))
        return wanted, True
    wanted = replace(wanted, version=stored.version)
    if wanted != stored:
        wanted = replace(wanted, version=stored.version + 1)
        store.commit(Update(wanted))
    return wanted, False


def submit_claim(store: Store, wanted: Submission) -> tuple[Submission, bool]:
    """Store a claim that was sent to a payer -> the submission, and whether it is new.

    It is a fact: results that waited for it (`unmatched_claim`) are then looked at again. Raises Refused 404 for an
    unknown client, 409 where this id is another claim's, or where a session of it is not the payer's to decide.

    What was estimated for its sessions is billed for it from now on (INV-2).
    """
    practice, claim = wanted.practice, wanted.claim
    stored, account, state = store.get_many(
        (wanted.key, account_key(practice, claim.client_id), claim_state_key(practice, claim.claim_id))
    )
    if isinstance(stored, Submission):
        if stored.claim != wanted.claim:
            raise Refused(
                "claim_differs",
                f"Claim {wanted.claim.claim_id} was submitted before with other content. A corrected claim needs an "
                "id of its own.",
            )
        return stored, False
    if not isinstance(account, Account):
        raise unknown_client(claim.client_id)
    # The claim's state is written too: a worker that judges a result of this id at this moment, and found no claim,
    # loses the race and looks again. Otherwise its hold could come after the last look at what waited, and its invoice
    # on top of an estimate.
    known = Known.read(store, practice, claim)
    before = state if isinstance(state, ClaimState) else ClaimState(practice, claim.claim_id, 0)
    after, others = take_over(claim, before, known, _claims_before(store, practice, known))
    after = replace(after, client=claim.client_id, version=before.version + 1)
    store.commit(Insert(wanted), Insert(after) if after.version == 1 else Update(after), *others)
    return wanted, True


def _claims_before(store: Store, practice: str, known: Known) -> dict[str, ClaimState]:
    """The states of the claims that those sessions are on already, by claim id."""
    named = sorted({row.claim_id for row in known.billed.values()} - {""})
    states = store.get_many([claim_state_key(practice, one) for one in named]) if named else []
    return {one.claim_id: one for one in states if isinstance(one, ClaimState)}


def show_account(store: Store, practice: str, client: str, now: datetime) -> Shown:
    """Read an account. Raises Refused 404 for an unknown client."""
    books = Books.read(store, practice, client)
    if books is None:
        raise unknown_client(client)
    owner, contact = practice_of(store, practice), store.get(contact_key(practice, client))
    state = contact.state if isinstance(contact, Contact) else ""
    lines = store.partition(facts_pk(practice, client), "LINES#") if books.invoices else []
    explained = tuple(one for one in lines if isinstance(one, InvoiceLines))
    return Shown(books, explained, owner.time_zone, can_book(books, state, owner, now))


def change_policies(
    store: Store,
    practice: str,
    change: Callable[[Policy], Policy],
    key_id: str,
    now: datetime,
    version: int | None = None,
) -> Practice:
    """Apply `change` to what the practice chose, asked for by that key -> the practice as it is from now on (DESK-6).

    Raises Refused where the change was made for another `version` than the one in force, unless it is in force already:
    then it is the same request again.
    """
    owner = practice_of(store, practice)
    chosen, writes = choose(owner, change(owner.policy), key_id, now)
    if writes and version not in (None, owner.policy_version):
        raise Refused(
            "policies_changed",
            f"The policies are at version {owner.policy_version} by now: read them again, and change what they are.",
            rule="DESK-6",
        )
    if writes:
        store.commit(*writes)
    return chosen


def unknown_client(client: str) -> Refused:
    """No such client in this practice."""
    return Refused(
        "unknown_client", f"There is no client {client}: create it with PUT /v1/clients/{client}.", status=404
    )


def practice_of(store: Store, practice: str) -> Practice:
    """The practice's own row, with what it chose. Raises Refused 404 where it is not set up yet."""
    owner = store.get(practice_key(practice))
    if not isinstance(owner, Practice):
        raise Refused(
            "no_practice", f"There is no practice {practice}: PUT /v1/practices/{practice} first.", status=404
        )
    return owner
