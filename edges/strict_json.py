"""JSON as every reader understands it alike: UTF-8, each field once in an object, numbers that JSON has. What Python's
reader would let pass beyond that is refused, because the sender's next reader may take it for something else.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any


class NotJson(ValueError):
    """The body cannot be read at all: the sender must fix how it writes JSON (400). Its sentence repeats none of what
    was sent, which may be about a patient."""


class _Malformed(ValueError):
    """JSON that two readers would understand differently."""


def loads(body: bytes, *, decimal: bool = False) -> object:
    """The value that a body holds; with `decimal`, fractions as they are written and not as a binary float. Raises
    NotJson, whatever the bytes are."""
    fraction = _decimal if decimal else None
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=fraction)
    except RecursionError:
        raise NotJson("The body is nested too deeply.") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise NotJson(f"The body is not JSON: {_sentence(error)}.") from None


def _sentence(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno} column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return str(error) if isinstance(error, _Malformed) else "a number has too many digits"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Malformed("an object names a field twice")
    return found


def _decimal(text: str) -> Decimal:
    """The number as it is written. An exponent of twenty digits is JSON, and more than a Decimal can hold."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _Malformed("a number is out of all proportion") from None


def _no_constant(_name: str) -> object:
    raise _Malformed("NaN and Infinity are not JSON numbers")
