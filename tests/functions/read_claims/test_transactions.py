"""Ring (b) of claims.md 4.8: the same payment in other bytes is told; and what a file says of the provider's money."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from billing.claim_state import ReceivedResult
from billing.facts import Message
from billing.ports import Insert, TryAgain, Write
from billing.transaction import ProviderAdjustment, SeenTransaction, Transaction
from functions.read_claims.flow import SLICE_CLAIMS, run
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.store import MemoryStore
from tests.functions.read_claims.test_flow import NOW, claim_ids, era, read_all, results, slices, stored

FIXTURES = Path(__file__).parents[2] / "fixtures" / "835"


def flags(store: MemoryStore) -> dict[str, str]:
    return {row.result.claim_id: row.same_transaction_as for row in results(store)}


def test_the_same_payment_in_other_bytes_marks_what_is_new_in_it_and_repeats_the_rest() -> None:
    """claims.md 4.8: payer, TRN02, BPR16, BPR02 and ST02 again."""
    store = MemoryStore()
    read_all(stored(era(["KB1", "KB2"]), store), store)
    (second,) = read_all(stored(era(["KB2", "KB3"]), store, "rcp_2"), store, "rcp_2")
    assert [e.duplicate for e in second.elements] == [True, False]
    assert flags(store) == {"KB1": "", "KB2": "", "KB3": "rcp_1"}


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"TRN*1*12345*", b"TRN*1*54321*"),
        (b"*ACH************20261120", b"*ACH************20261121"),
        (b"BPR*I*180*", b"BPR*I*179*"),
        (b"*XV*87726", b"*XV*60054"),
        (b"ST*835*0001", b"ST*835*0002"),
        (b"*0*P*:", b"*0*T*:"),
    ],
    ids=["trace", "date", "amount", "payer", "control", "a rehearsal"],
)
def test_another_payment_is_another_transaction(was: bytes, becomes: bytes) -> None:
    store = MemoryStore()
    read_all(stored(era(["KB1", "KB2"]), store), store)
    other = era(["KB3", "KB4"])
    assert was in other
    read_all(stored(other.replace(was, becomes), store, "rcp_2"), store, "rcp_2")
    assert set(flags(store).values()) == {""}


def test_a_payment_without_a_number_is_never_taken_for_another() -> None:
    store = MemoryStore()
    for number in (1, 2):
        unnumbered = era([f"KB{number}"]).replace(b"TRN*1*12345*", b"TRN*1**")
        read_all(stored(unnumbered, store, f"rcp_{number}"), store, f"rcp_{number}")
    assert set(flags(store).values()) == {""}


def test_the_second_file_stays_second_when_its_reading_is_repeated() -> None:
    store = MemoryStore()
    read_all(stored(era(["KB1"]), store), store)
    message = stored(era(["KB3"]), store, "rcp_2")
    read_all(message, store, "rcp_2")
    before = store.rows()
    run(message, store=store, blobs=MemoryBlobs(), now=NOW)
    assert store.rows() == before


class Crashes(MemoryStore):
    """Fails the n-th commit after it happened."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def commit(self, *writes: Write) -> None:
        super().commit(*writes)
        self.left -= 1
        if self.left == 0:
            raise TryAgain("the connection broke")


@pytest.mark.parametrize("at", range(2, 8))
def test_a_crash_anywhere_does_not_make_a_file_the_second_of_itself(at: int) -> None:
    store = Crashes(at)
    message = stored(era(claim_ids(SLICE_CLAIMS + 1)), store)
    while not slices(store) or not slices(store)[-1].last:
        try:
            run(message, store=store, blobs=MemoryBlobs(), now=NOW, goes_on=lambda: True)
        except TryAgain:
            continue
    assert set(flags(store).values()) == {""}
    assert len(results(store)) == SLICE_CLAIMS + 1
    assert not any(element.duplicate for one in slices(store) for element in one.elements)


def test_the_same_transaction_twice_in_one_file_is_one_receipts_business() -> None:
    store = MemoryStore()
    (only,) = read_all(stored(era(["KB1"]) + era(["KB1"]), store), store)
    assert [e.duplicate for e in only.elements] == [False, True]
    assert set(flags(store).values()) == {""}


def test_of_two_files_that_race_the_second_waits_until_the_first_is_read() -> None:
    """Else what both have could be stored by the second, and be held though the first one brought it."""
    store = MemoryStore()
    first = stored(era(claim_ids(SLICE_CLAIMS + 1)), store)
    run(first, store=store, blobs=MemoryBlobs(), now=NOW)  # one slice of two
    both = [*claim_ids(SLICE_CLAIMS + 1)[1:], "KBNEW"]
    second = stored(era(both), store, "rcp_2")
    with pytest.raises(TryAgain, match="rcp_1"):
        read_all(second, store, "rcp_2")
    run(Message("ClaimSliceRead", slices(store)[-1].key), store=store, blobs=MemoryBlobs(), now=NOW)
    read_all(second, store, "rcp_2")
    assert {claim: flag for claim, flag in flags(store).items() if flag} == {"KBNEW": "rcp_1"}


def test_it_does_not_wait_for_ever() -> None:
    store = MemoryStore()
    run(stored(era(claim_ids(SLICE_CLAIMS + 1)), store), store=store, blobs=MemoryBlobs(), now=NOW)
    changed = era(claim_ids(SLICE_CLAIMS + 1)).replace(b"GS*HP", b"GS*HQ")
    later = NOW + timedelta(seconds=11)
    run(stored(changed, store, "rcp_2"), store=store, blobs=MemoryBlobs(), now=later, goes_on=lambda: True)
    assert {row.receipt_id for row in results(store)} == {"rcp_1", "rcp_2"}


def test_who_inserts_a_transaction_first_is_first_for_both() -> None:
    """Two readers find nobody there; the row that is written decides."""

    class Raced(MemoryStore):
        raced = False

        def commit(self, *writes: Write) -> None:
            mine = writes[0].record
            if isinstance(mine, SeenTransaction) and not self.raced:
                self.raced = True
                super().commit(Insert(replace(mine, receipt_id="rcp_other", at=NOW - timedelta(minutes=1))))
            super().commit(*writes)

    store = Raced()
    read_all(stored(era(["KB1"]), store), store)
    assert flags(store) == {"KB1": "rcp_other"}


def test_each_slice_tells_the_transactions_that_ended_in_it_and_plb_by_its_reason() -> None:
    """claims.md 4.1, 4.7: PLB lowers the payment and belongs to no claim."""
    store = MemoryStore()
    long = era(claim_ids(SLICE_CLAIMS))
    plb = b"PLB*1234567893*20261231*WO:KB00001 DOE*5*72:2*-5*L6*-1.25~SE*"
    other = era(["KBX"]).replace(b"SE*", plb).replace(b"BPR*I*90*", b"BPR*I*91.25*").replace(b"12345", b"777")
    first, second = read_all(stored(long + other, store), store)
    money = (ProviderAdjustment("72", -500), ProviderAdjustment("L6", -125), ProviderAdjustment("WO", 500))
    assert first.transactions == (Transaction("0001", "12345", 18_000_00, SLICE_CLAIMS, 18_000_00),)
    assert second.transactions == (Transaction("0001", "777", 91_25, 1, 90_00, money, balances=True),)
    assert second.transactions[0].adjusted == -1_25


def test_a_payment_that_does_not_add_up_says_so_and_its_claims_are_posted() -> None:
    """claims.md 4.1: BPR02 is the provider's cash, not the patients'."""
    store = MemoryStore()
    (only,) = read_all(stored(era(["KB1"]).replace(b"BPR*I*90*", b"BPR*I*80*"), store), store)
    assert [one.balances for one in only.transactions] == [False]
    assert only.warnings == ("transaction 0001: BPR02 is not the sum of its claims less PLB",)
    assert len(results(store)) == 1


def test_a_result_keeps_its_place_in_its_body() -> None:
    store = MemoryStore()
    read_all(stored(era(claim_ids(SLICE_CLAIMS + 1)), store), store)
    places = [row.place for row in store.stream if isinstance(row, ReceivedResult)]
    assert places == list(range(SLICE_CLAIMS + 1))


@pytest.mark.parametrize(
    ("name", "adjusted"), [("interest", -2_50), ("provider_adjustments", None), ("sequestration", 0), ("capitated", 0)]
)
def test_money_between_payer_and_provider_is_told_apart_and_is_no_patients(name: str, adjusted: int | None) -> None:
    """claims.md 4.4, 4.7, LAW-3: interest, PLB, sequestration and capitation stand beside the results, never in what a
    patient owes."""
    store = MemoryStore()
    (only,) = read_all(stored((FIXTURES / f"{name}.835").read_bytes(), store), store)
    assert all(one.balances for one in only.transactions)
    told = sum(one.adjusted for one in only.transactions)
    assert told == adjusted if adjusted is not None else told != 0
    for row in results(store):
        owed = sum(a.amount for a in row.result.all_adjustments if a.group == "PR")
        assert row.result.patient_responsibility == owed <= row.result.charged - row.result.paid
    assert sum(row.result.paid for row in results(store)) == sum(one.claims_paid for one in only.transactions)
