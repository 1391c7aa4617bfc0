"""Every record survives being written and read, whatever it holds; what cannot be read is refused, never guessed."""

import dataclasses
import importlib
import pkgutil
import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import billing
from billing.account import Account
from billing.ids import Key
from billing.invoice import Invoice, Source
from billing.plan import Instalment, Plan
from billing.policy import Policy, Practice
from billing.stripe_event import StripeEvent
from edges.codec import HOMES, UnreadableRow, class_of, decode, encode, is_fact
from edges.table import shard_of

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def every_record_class() -> list[Any]:
    """Looked up in billing/ itself, so that a new record without a home fails here and not in production."""
    found: set[Any] = set()
    for module in pkgutil.iter_modules(billing.__path__):
        for value in vars(importlib.import_module(f"billing.{module.name}")).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and hasattr(value, "TYPE"):
                found.add(value)
    return sorted(found, key=lambda c: c.__name__)


def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, across its whole range."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return st.one_of([st.none() if one is types.NoneType else anything(one) for one in arguments])
    if origin is tuple:
        return st.lists(anything(arguments[0]), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8) | st.integers(-(10**12), 10**12))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{f.name: anything(hints[f.name]) for f in dataclasses.fields(hint)})
    if issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    return {
        bool: st.booleans(),
        int: st.integers(-(10**12), 10**12),
        str: st.text(max_size=20),
        bytes: st.binary(max_size=50),
        datetime: st.datetimes(timezones=st.just(UTC)),
        date: st.dates(),
    }[hint]


@pytest.mark.parametrize("record_class", every_record_class(), ids=lambda c: c.TYPE)
def test_every_record_reads_back_as_it_was_written(record_class: type) -> None:
    @settings(max_examples=40, deadline=None)
    @given(anything(record_class))
    def check(record: Any) -> None:
        item = encode(record)
        assert decode(item) == record
        assert (item["pk"]["S"], item["sk"]["S"]) == record.key
        assert item["version"] == {"N": str(record.version)}

    check()


def test_every_record_class_has_a_home_and_no_home_is_empty() -> None:
    assert {c.TYPE for c in every_record_class()} == set(HOMES)
    assert {record_type: class_of(record_type) for record_type in HOMES} == {c.TYPE: c for c in every_record_class()}


def test_only_facts_have_the_attribute_that_the_stream_relays() -> None:
    relayed = {c.TYPE for c in every_record_class() if is_fact(c)}
    assert relayed == {
        "fact",
        "body",
        "slice",
        "result",
        "session",
        "submission",
        "stripe_event",
        "clearinghouse_event",
        "reconcile_slice",
    }


FIELDS_OF: dict[str, dict[str, Any]] = {
    "a plan": {"source": Source.PLAN, "plan_id": "plan_" + "l" * 20},
    "a self-paid session": {"source": Source.SESSION, "good_faith_estimate": 100_00},
    "an estimate": {"source": Source.ESTIMATE, "estimated": True},
}
"""What an invoice comes from -> the fields that only such invoices have."""


def full_invoice(of: str = "a plan") -> Invoice:
    """Every field set that such an invoice can have at one time, with ids as long as they come: what is void asks for
    nothing, and what is looked into has no charge to come."""
    return Invoice(
        **FIELDS_OF[of],
        practice="practice_" + "p" * 20,
        client="client_" + "c" * 20,
        invoice_id="inv_" + "f" * 20 + "_client_" + "c" * 20,
        version=999_999,
        source_id="s" * 40,
        ordinal=3,
        amount=123_456_78,
        issued_at=NOON.replace(microsecond=123456),
        service_date=date(2026, 10, 30),
        provider="provider_" + "v" * 20,
        paid=1_00,
        credited=2_00,
        written_off=3_00,
        moved=4_00,
        reviews=("hold_" + "h" * 20, "rev_" + "r" * 20),
        paused_at=NOON,
        charge_paused=True,
        notice_id="notice_" + "n" * 30,
        notice_at=NOON.replace(microsecond=123456),
        card_id="card_" + "d" * 20,
        first_tried_at=NOON.replace(microsecond=123456),
        tries=4,
        open_attempt=12,
        reminded=6,
        remind_at=NOON,
        past_due_at=NOON,
        past_due=True,
        refunded=1_00,
        disputed=True,
        disputed_back=1_00,
        corrected=-1_00,
        explained=2,
    )


def bytes_of(item: Mapping[str, Any]) -> int:
    """The size DynamoDB bills: attribute names and values in UTF-8, numbers at about half a byte a digit."""
    sizes: dict[str, Callable[[Any], int]] = {
        "S": lambda text: len(text.encode()),
        "N": lambda digits: len(digits) // 2 + 2,
        "BOOL": lambda _: 1,
        "L": lambda texts: 3 + sum(1 + len(text["S"].encode()) for text in texts),
    }
    total = 0
    for name, attribute in item.items():
        ((kind, value),) = attribute.items()
        total += len(name.encode()) + sizes[kind](value)
    return total


@pytest.mark.parametrize("of", FIELDS_OF)
def test_an_invoice_head_with_every_field_set_stays_below_one_kilobyte(of: str) -> None:
    invoice = full_invoice(of)
    of_others = {name for other, own in FIELDS_OF.items() if other != of for name in own} - FIELDS_OF[of].keys()
    left_at_default = {f.name for f in dataclasses.fields(Invoice) if getattr(invoice, f.name) == f.default}
    assert left_at_default == of_others | {"void", "charge_at"}, "this invoice is meant to be full"
    index_entry = {"due_shard": {"N": "3"}, "due_at": {"S": "2026-11-20T12:00:00Z#past_due"}}
    assert bytes_of(encode(invoice) | index_entry) < 1024


def test_a_field_that_equals_its_default_takes_no_room() -> None:
    item = encode(Account("practice", "client", 1))
    assert set(item) == {"pk", "sk", "type", "practice", "client", "version"}


def test_what_the_table_looks_at_is_written_even_where_it_is_the_default() -> None:
    event = StripeEvent("evt_1", "payment_intent.succeeded", "pi_1", "practice", "client", 1, NOON, 1_800_000_000)
    item = encode(event)
    assert item["kind"] == {"S": "StripeEventStored"}
    assert item["version"] == {"N": "1"}
    assert item["expires"] == {"N": "1800000000"}


def test_a_nested_policy_keeps_only_what_the_practice_chose() -> None:
    practice = Practice(
        "practice", 1, "Elm Street", "America/Denver", "+1", "e@x.example", policy=Policy(default_cap=1)
    )
    assert encode(practice)["policy"] == {"M": {"default_cap": {"N": "1"}}}


def test_an_instant_is_stored_in_utc_whatever_zone_it_came_in() -> None:
    noon_in_denver = datetime(2026, 11, 20, 12, 0, tzinfo=timezone(timedelta(hours=-7)))
    plan = Plan("p", "c", "plan", 1, 2, noon_in_denver, (), (Instalment(62_50, date(2026, 11, 27)),))
    assert encode(plan)["created_at"] == {"S": "2026-11-20T19:00:00Z"}
    assert decode(encode(plan)) == plan


def test_an_instant_without_a_zone_is_refused() -> None:
    plan = Plan("p", "c", "plan", 1, 2, datetime(2026, 11, 20), (), ())  # noqa: DTZ001 - that is the mistake
    with pytest.raises(ValueError, match="no time zone"):
        encode(plan)


def test_a_stored_field_that_the_code_does_not_know_is_refused_by_name() -> None:
    item = encode(full_invoice()) | {"discount": {"N": "5"}}
    with pytest.raises(UnreadableRow, match=r"invoice at A#.* has no field 'discount'.*readers before writers"):
        decode(item)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"type": {"S": "spaceship"}}, "no record is called 'spaceship'"),
        ({"source": {"S": "lottery"}}, "lottery"),
        ({"amount": {"S": "ten"}}, "N"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_with_its_address(broken: dict[str, Any], says: str) -> None:
    with pytest.raises(UnreadableRow, match=says) as refusal:
        decode(encode(full_invoice()) | broken)
    assert full_invoice().key.sk in str(refusal.value)


def test_a_row_without_what_has_no_default_is_refused() -> None:
    item = encode(full_invoice())
    del item["amount"]
    with pytest.raises(UnreadableRow, match="amount"):
        decode(item)


@dataclasses.dataclass(frozen=True)
class Wobbly:
    """A record that somebody gave a float."""

    TYPE: ClassVar[str] = "wobbly"

    version: int
    amount: float
    due: str | None = None

    @property
    def key(self) -> Key:
        return Key("W#", "W#")


def test_a_record_with_a_float_cannot_be_written() -> None:
    with pytest.raises(TypeError, match=r"Wobbly\.amount: rows do not hold <class 'float'>"):
        encode(Wobbly(1, 62.5))


def test_a_partition_keeps_its_shards_for_good_and_charges_have_some_of_their_own() -> None:
    for kind, shards in (("charge", [1, 0, 1]), ("remind", [3, 2, 3])):
        due_at = f"2026-11-20T12:00:00Z#{kind}"
        assert [shard_of(f"A#practice#{client}#", due_at, 4) for client in ("ana", "ben", "cho")] == shards


def test_shards_are_even() -> None:
    counts = [0, 0, 0, 0]
    for n in range(4000):
        for kind in ("charge", "remind"):
            counts[shard_of(f"A#practice#client_{n}#", f"2026-11-20T12:00:00Z#{kind}", 4)] += 1
    assert min(counts) > 1800
