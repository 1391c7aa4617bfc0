"""Planted bugs about what people ask and decide: clients' questions, holds that go to another claim, payments that come
again, claims that must be somewhere (INV-7, DESK-5, claims.md 4.8)."""

from collections.abc import Iterator
from dataclasses import replace
from functools import wraps
from typing import Any
from unittest.mock import patch

from billing import issuing, letters, reviewing, standing
from billing.clearinghouse_event import ClearinghouseEvent
from billing.draft import Draft
from billing.facts import ROUTES, WakeKind
from billing.ports import TryAgain, Update
from billing.review import ReviewStatus
from functions.change_invoice import reviews
from functions.fetch_report import flow as fetch_report
from functions.read_claims import flow as read_claims
from functions.serve_practice import holds, sessions
from tests.sim.mutants.planted import planted


@planted("a question that pauses nothing", found="in review by then", seed=7)
def a_question_that_pauses_nothing() -> Iterator[None]:
    """The page says that the bill is being checked, and its announced charge is still taken."""
    with patch.object(reviewing, "question", lambda invoice, *_: invoice):
        yield


@planted("a question asked twice is two", found="looked into twice at once", seed=1)
def a_question_asked_twice_is_two() -> Iterator[None]:
    """Whoever asks while somebody looks into the bill opens another review beside the first."""
    real = reviews.request_review

    def another(draft: Draft, *rest: Any) -> Any:
        before = draft.books.reviews
        draft.books = replace(draft.books, reviews=tuple(replace(r, status=ReviewStatus.UPHELD) for r in before))
        return real(draft, *rest)

    with patch.object(reviews, "request_review", another):
        yield


@planted("what a client wrote stands in a mail", found="invariant 12 ", seed=2)
def what_a_client_wrote_stands_in_a_mail() -> Iterator[None]:
    """Staff read the client's own words in the mail about their question, care included (LAW-1)."""
    real = letters.review_requested

    def in_full(fact: Any, desk: Any) -> Any:
        review = desk.books.review(str(fact.data["review_id"]))
        return [(replace(letter, reason=f"{letter.reason} {review.reason}"), to) for letter, to in real(fact, desk)]

    with patch.object(letters, "review_requested", in_full):
        yield


@planted("a result lost on its way to another claim", found="the auditor, .*(billed|sent were)", seed=11)
def a_moved_result_is_lost() -> Iterator[None]:
    """Staff say which claim a result is about: it leaves the holds, and nobody ever judges it there."""
    with patch.object(holds, "_at_its_claim", lambda *_: ()):
        yield


@planted("a later desk overrules the first, on paper", found="the auditor, .*(billed|sent were)", seed=1)
def two_desks_are_both_told_done() -> Iterator[None]:
    """Of two that decide differently about one hold, the slower one is told that it was done too."""

    def whatever_it_was(store: Any, before: Any, _word: Any) -> Any:
        return holds._shown(store, before)

    with patch.object(holds, "_decided_before", whatever_it_was):
        yield


@planted("a payment posted again in other words", found="the auditor, .*billed", seed=1)
def a_payment_posted_again_in_other_words() -> Iterator[None]:
    """The same payment comes in another file and says something else about a claim: it counts like a new one."""
    with patch.object(issuing, "_contradicts_its_payment", lambda *_: False):
        yield


@planted("a receipt that forgets repeated claims", found="claims accounted for: .*in it were", seed=1)
def a_receipt_without_what_was_repeated() -> Iterator[None]:
    """What was seen before is left out of the receipt: whoever sent it cannot tell where it went."""
    real = read_claims._keep_results

    def only_new(*known: Any) -> Any:
        return tuple(element for element in real(*known) if not element.duplicate)

    with patch.object(read_claims, "_keep_results", only_new):
        yield


@planted("an upload whose notice was lost", found="claims accounted for: |does not end", seed=3)
def an_upload_that_nobody_looks_for() -> Iterator[None]:
    """S3 does not say that a file came, and nothing else asks."""
    with patch("functions.wake_due.flow.ROUTES", {**ROUTES, WakeKind.UPLOAD: ()}):
        yield


@planted("a slice skipped after a crash", found="claims accounted for: |the auditor, .*billed", seed=1)
def a_slice_that_begins_too_far() -> Iterator[None]:
    """Whoever reads on begins after the claim that should come next."""
    real = read_claims._Reader.__init__

    def too_far(reader: Any, body: Any, before: Any, *rest: Any) -> None:
        real(reader, body, before, *rest)
        reader._start += before is not None

    with patch.object(read_claims._Reader, "__init__", too_far):
        yield


@planted("a report asked for once", found="claims accounted for: .*no such receipt|does not end", seed=2)
def a_report_asked_for_once() -> Iterator[None]:
    """The clearinghouse does not answer, and its report counts as fetched."""
    real = fetch_report.run

    @wraps(real)
    def once(message: Any, **ports: Any) -> None:
        try:
            real(message, **ports)
        except TryAgain as no:
            if "the clearinghouse does not answer" not in str(no):
                raise
            event: Any = ports["store"].get(message.key)
            ports["store"].commit(Update(event.fetched("rcp_never")))

    with patch.object(fetch_report, "run", once):
        yield


@planted("two reports under one name", found="no such receipt|does not end.*fetch_report", seed=1)
def a_report_taken_for_another() -> Iterator[None]:
    """The name of a report is cut where it is kept: the next one that begins alike counts as seen before."""
    real = ClearinghouseEvent.told

    def cut(practice: str, transaction_id: str, *rest: Any) -> ClearinghouseEvent:
        return real(practice, transaction_id[:8], *rest)

    with patch.object(ClearinghouseEvent, "told", cut):
        yield


@planted("an estimate by an old eligibility check", found="the auditor, about estimates", seed=7)
def an_estimate_by_the_first_check() -> Iterator[None]:
    """The plan's answer is kept once: what changed since is not heard of."""
    real = sessions.keep_eligibility

    def first_only(store: Any, wanted: Any) -> Any:
        stored = store.get(wanted.key)
        return stored if stored is not None else real(store, wanted)

    with patch.object(sessions, "keep_eligibility", first_only):
        yield


@planted("the third payer is not waited for", found="the auditor, .*billed", seed=8)
def nobody_waits_for_the_third_payer() -> Iterator[None]:
    """Two payers have answered, and the client is billed what the third one is yet to pay."""
    real = standing._awaited

    def of_two(*known: Any) -> int:
        awaited = real(*known)
        return 0 if awaited > 2 else awaited

    with patch.object(standing, "_awaited", of_two):
        yield
