"""Records in billing/ <-> rows of the table, in the low-level form that DynamoDB speaks.

One generic codec instead of one mapper per noun: a record's dataclass *is* its schema, so a field cannot be added and
then forgotten here. Rows stay small (an invoice head below 1 KB is one write unit) because a field that equals its
default is left out; which also means that changing a default changes what rows written before it say: add a new
field instead.

A stored field that the code does not know is refused, never dropped: the next write would erase it. Deploy readers
before writers.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

from billing.ports import Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

HOMES: Final[Mapping[str, str]] = {
    "account": "billing.account",
    "api_key": "billing.policy",
    "attempt": "billing.payment",
    "authorisation_use": "billing.session",
    "billed_session": "billing.session",
    "body": "billing.claim_state",
    "card": "billing.payment",
    "claim_state": "billing.claim_state",
    "clearinghouse_event": "billing.clearinghouse_event",
    "consent": "billing.account",
    "contact": "billing.account",
    "disclosure": "billing.disclosure",
    "dispute": "billing.dispute",
    "eligibility": "billing.eligibility",
    "fact": "billing.facts",
    "finding": "billing.reconciliation",
    "hold": "billing.claim_state",
    "hold_decision": "billing.hold_decision",
    "idempotency_key": "billing.idempotency",
    "invoice": "billing.invoice",
    "invoice_lines": "billing.invoice_lines",
    "issued_key": "billing.policy",
    "link_session": "billing.account",
    "listed_review": "billing.review",
    "phone_tries": "billing.account",
    "plan": "billing.plan",
    "posting": "billing.notice",
    "practice": "billing.policy",
    "provider": "billing.policy",
    "reconcile_slice": "billing.reconciliation",
    "reconciliation": "billing.reconciliation",
    "refund": "billing.refund",
    "result": "billing.claim_state",
    "review": "billing.review",
    "session": "billing.session",
    "slice": "billing.claim_state",
    "slice_count": "billing.receipt",
    "staff_action": "billing.staff_action",
    "stripe_event": "billing.stripe_event",
    "submission": "billing.claim_state",
    "transaction": "billing.transaction",
    "upload": "billing.upload",
}
"""Record TYPE -> the module of its class. Imported when a row of that type is first seen: a function that stores
webhooks does not pay for plans. A test holds this to every record of billing/."""

NOT_FIELDS: Final = frozenset({"pk", "sk", "type", "due_shard", "due_at"})
"""Attributes of a row that are no fields of its record: its address, its type and its entry in the due index."""
ALWAYS_WRITTEN: Final = frozenset({"version", "kind", "expires"})
"""Fields the table itself looks at (guards, the stream's filter, forgetting), default or not."""


class UnreadableRow(Exception):
    """A row that this version of the code cannot read without losing something."""


class _Field(NamedTuple):
    name: str
    encode: Callable[[Any], "AttributeValueTypeDef"]
    default: object


class _Plan(NamedTuple):
    """How one dataclass is written and read, worked out once."""

    fields: tuple[_Field, ...]
    decoders: dict[str, Callable[[Any], Any]]


class _Coder(NamedTuple):
    encode: Callable[[Any], "AttributeValueTypeDef"]
    decode: Callable[[Any], Any]


_NO_DEFAULT: Final = object()


def encode(record: Record) -> "dict[str, AttributeValueTypeDef]":
    """The row of a record, without its entry in the due index. Raises ValueError for a datetime without a zone."""
    key = record.key
    item: dict[str, AttributeValueTypeDef] = {
        "pk": {"S": key.pk},
        "sk": {"S": key.sk},
        "type": {"S": type(record).TYPE},  # type: ignore[attr-defined]  # every class of HOMES has one
    }
    _write_fields(_plan(type(record)), record, item)
    return item


def decode(item: "Mapping[str, AttributeValueTypeDef]") -> Record:
    """The record of a row. Raises UnreadableRow, naming the row and what to do."""
    where = "a row without type"
    try:
        where = f"{item['type']['S']} at {item['pk']['S']} {item['sk']['S']}"
        cls = class_of(item["type"]["S"])
        fields = {name: value for name, value in item.items() if name not in NOT_FIELDS}
        record: Record = _read_fields(cls, fields)
    except (KeyError, TypeError, ValueError) as e:
        raise UnreadableRow(f"{where}: {e}") from e
    return record


@cache
def class_of(record_type: str) -> type:
    """The class of a record TYPE; ValueError where there is none."""
    home = HOMES.get(record_type)
    if home is None:
        raise ValueError(f"no record is called {record_type!r}: add it to HOMES in edges/codec.py")
    classes = (c for c in vars(import_module(home)).values() if isinstance(c, type))
    return next(c for c in classes if getattr(c, "TYPE", None) == record_type)


def is_fact(record_class: type) -> bool:
    """Whether the stream relays this record's rows when they are inserted: those that have the attribute `kind`."""
    return "kind" in _plan(record_class).decoders


def _write_fields(plan: _Plan, value: object, item: "dict[str, AttributeValueTypeDef]") -> None:
    for name, encode_field, default in plan.fields:
        content = getattr(value, name)
        if content != default:
            item[name] = encode_field(content)


def _read_fields(cls: type, fields: Mapping[str, Any]) -> Any:
    decoders = _plan(cls).decoders
    values = {}
    for name, attribute in fields.items():
        decode_field = decoders.get(name)
        if decode_field is None:
            raise ValueError(
                f"{cls.__name__} has no field {name!r}: written by newer code? Deploy readers before writers"
            )
        values[name] = decode_field(attribute)
    return cls(**values)


@cache
def _plan(cls: type) -> _Plan:
    hints = get_type_hints(cls)
    fields, decoders = [], {}
    for field in dataclasses.fields(cls):
        name = field.name
        assert name not in NOT_FIELDS, f"{cls.__name__}.{name}: this name belongs to the row itself"
        coder = _coder(hints[name], f"{cls.__name__}.{name}")
        fields.append(_Field(name, coder.encode, _default(field)))
        decoders[name] = coder.decode
    return _Plan(tuple(fields), decoders)


def _default(field: "dataclasses.Field[Any]") -> object:
    if field.name in ALWAYS_WRITTEN:
        return _NO_DEFAULT
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _NO_DEFAULT


def _coder(hint: Any, where: str) -> _Coder:
    """How a field of that type is written and read. Raises TypeError for a type that rows do not hold (floats)."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _Coder(lambda value: {"S": value.value}, lambda attribute: hint(attribute["S"]))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _nested(hint)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        encode_one, decode_one = _coder(arguments[0], where)
        return _Coder(
            lambda value: {"L": [encode_one(one) for one in value]},
            lambda attribute: tuple([decode_one(one) for one in attribute["L"]]),
        )
    if origin in (types.UnionType, Union) and len(arguments) == 2 and arguments[1] is types.NoneType:
        encode_some, decode_some = _coder(arguments[0], where)
        return _Coder(
            lambda value: {"NULL": True} if value is None else encode_some(value),
            lambda attribute: None if "NULL" in attribute else decode_some(attribute),
        )
    if origin is not None and issubclass(origin, Mapping) and arguments == (str, str | int):
        return _Coder(_encode_mapping, _decode_mapping)
    raise TypeError(f"{where}: rows do not hold {hint}; teach edges/codec.py or choose another type")


def _nested(cls: type) -> _Coder:
    def encode_nested(value: object) -> "AttributeValueTypeDef":
        fields: dict[str, AttributeValueTypeDef] = {}
        _write_fields(_plan(cls), value, fields)
        return {"M": fields}

    return _Coder(encode_nested, lambda attribute: _read_fields(cls, attribute["M"]))


def _encode_instant(value: datetime) -> "AttributeValueTypeDef":
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone: every instant is aware (billing/period.py)")
    return {"S": value.astimezone(UTC).isoformat().replace("+00:00", "Z")}


def _encode_mapping(value: Mapping[str, str | int]) -> "AttributeValueTypeDef":
    return {"M": {name: {"N": str(v)} if isinstance(v, int) else {"S": str(v)} for name, v in value.items()}}


def _decode_mapping(attribute: Any) -> dict[str, str | int]:
    return {name: int(v["N"]) if "N" in v else v["S"] for name, v in attribute["M"].items()}


_SCALARS: Final[dict[Any, _Coder]] = {
    str: _Coder(lambda value: {"S": str(value)}, lambda attribute: attribute["S"]),
    bool: _Coder(lambda value: {"BOOL": value}, lambda attribute: attribute["BOOL"]),
    int: _Coder(lambda value: {"N": str(value)}, lambda attribute: int(attribute["N"])),
    bytes: _Coder(lambda value: {"B": value}, lambda attribute: bytes(attribute["B"])),
    datetime: _Coder(_encode_instant, lambda attribute: datetime.fromisoformat(attribute["S"])),
    date: _Coder(lambda value: {"S": value.isoformat()}, lambda attribute: date.fromisoformat(attribute["S"])),
}
