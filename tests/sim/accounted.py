"""Claims in = claims accounted for (DESK-5), by what a processor remembers: the part of the auditor that counts claims.

Each file that we answered for is a receipt with exactly as many claims as were in it, each with one outcome. And each
decision that was sent about a claim, and no other, is kept with that claim; what staff moved is kept at both.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from datetime import datetime

from billing.claim_state import ReceivedResult
from billing.ids import claim_pk
from billing.ports import Store
from edges.receipts import read_receipt
from tests.sim.processor import Processor, Sent, sent

OUTCOMES = ("accepted", "held", "duplicate", "rejected")


def judge_accounted(
    store: Store, practice: str, processor: Processor, moved: Mapping[str, Set[Sent]], now: datetime
) -> Iterator[str]:
    """What of the files is not where it should be. `moved`: by claim, the decisions that staff said are about it."""
    for receipt_id, claims in processor.taken.items():
        receipt = read_receipt(store, practice, receipt_id, now)
        if receipt is None:
            yield f"{receipt_id} was taken, and there is no such receipt"
            continue
        results, page = list(receipt["results"]), 0
        while receipt.get("next"):
            page += 1
            receipt = read_receipt(store, practice, receipt_id, now, page)
            assert receipt is not None, f"{receipt_id} is gone"
            results += receipt["results"]
        said = Counter(row["outcome"] for row in results)
        told = {outcome: receipt[outcome] for outcome in OUTCOMES}  # type: ignore[literal-required]  # its own fields
        if receipt["state"] != "done" or receipt["claims"] != claims or len(results) != claims:
            yield f"{receipt_id} is {receipt['state']} with {receipt['claims']} claims, in it were {claims}"
        # A long file's claim that was decided is not counted anew: what a later word makes of it, its row says.
        if sum(told.values()) != claims:
            yield f"{receipt_id} counts {told}, in it were {claims}"
        elif "bytes" not in receipt and told != {outcome: said[outcome] for outcome in OUTCOMES}:
            yield f"{receipt_id} counts {told}, and shows {dict(said)}"
    for claim in processor.said.keys() | moved.keys():
        rows = store.partition(claim_pk(practice, claim), "RESULT#")
        kept = {sent(row.result) for row in rows if isinstance(row, ReceivedResult)}
        wanted = processor.said.get(claim, set()) | moved.get(claim, set())
        if kept != wanted:
            yield f"of claim {claim} we have {sorted(kept)}, sent were {sorted(wanted)}"
