"""What clients are told of a change, judged from facts and mails: the part of the auditor that reads INV-3.

A change of a bill is one commit, and one commit has one mail: which says the amounts before and after.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from billing.facts import Fact, FactKind
from billing.ids import Key, digest
from billing.invariants import AccountRows
from billing.notice import Letter, NoticeKind
from billing.refund import RefundCause


def judge_told(rows: AccountRows, letters: Mapping[str, Letter], commit_of: Mapping[Key, int]) -> Iterator[str]:
    """What is wrong with what one client was told of changes. `letters`: to the client, by the notice's id ·
    `commit_of`: which commit wrote a fact; a step may change the bills of two claims, in two commits at one instant."""
    posted = {posting.notice_id: posting for posting in rows.postings}
    for facts in _changes(rows.facts, commit_of):
        change = next(fact for fact in facts if "before" in fact.data)
        ids = {digest(*fact.key, "client") for fact in facts} & posted.keys()
        if len(ids) > 1:
            kinds = sorted(posted[one].notice for one in ids)
            yield f"was told {len(ids)} times of one change, at {change.at}: {kinds}"
        for one in ids:
            yield from _says_the_change(letters.get(one), change)
    corrected = {refund.refund_id for refund in rows.books.refunds if refund.cause is RefundCause.CORRECTED}
    for fact in rows.facts:
        told = fact.kind == FactKind.REFUND_POSTED and digest(*fact.key, "client") in posted
        if told and fact.data["refund_id"] in corrected:
            yield f"was told of {fact.data['refund_id']}, and before by the mail about the change"


def _changes(facts: Iterable[Fact], commit_of: Mapping[Key, int]) -> Iterable[list[Fact]]:
    """The facts of each commit that changed what a bill asks for."""
    by_commit: defaultdict[int, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_commit[commit_of[fact.key]].append(fact)
    return [each for each in by_commit.values() if any("before" in fact.data for fact in each)]


def _says_the_change(letter: Letter | None, change: Fact) -> Iterator[str]:
    if letter is None or letter.kind is not NoticeKind.INVOICE_CHANGED:
        return
    says, is_so = (letter.before, letter.after), (change.data["before"], change.data["after"])
    if says != is_so or letter.returned + letter.credited > max(0, letter.before - letter.after):
        yield f"was told that {says[0]} became {says[1]}, of which {letter.returned} goes back; it was {is_so}"
