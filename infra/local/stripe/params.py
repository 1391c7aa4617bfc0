"""Reading what the SDK sends: form-encoded, nested by brackets, every value text.

`Args` hands parameters out by type and knows which were never asked for: an unknown parameter is refused, as Stripe
does, so that a misspelt or unsupported one cannot be silently ignored. A handler reads everything, calls `done()`,
then acts.
"""

from typing import Any
from urllib.parse import parse_qsl

from infra.local.stripe.errors import Json, bad_param

METADATA_KEYS_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500
AMOUNT_MAX_CENTS = 99_999_999

Pairs = list[tuple[str, str]]


def read_pairs(form: str) -> Pairs:
    """The flat name/value pairs of a form-encoded body or query."""
    return parse_qsl(form, keep_blank_values=True) if form else []


def nest(pairs: Pairs) -> Json:
    """`a[b][0]=x` becomes `{"a": {"b": ["x"]}}`."""
    root: Json = {}
    for name, value in pairs:
        if "[" not in name:
            root[name] = value
            continue
        head, *rest = name.replace("]", "").split("[")
        table = root
        for step, following in zip([head, *rest], rest, strict=False):
            inner = table.setdefault(step, {})
            if not isinstance(inner, dict):
                raise bad_param(f"Invalid object: {following}", name)
            table = inner
        # `expand[]=a&expand[]=b`: the name is empty, the order counts.
        table[rest[-1] or str(len(table))] = value
    return {name: _lists(name, value) for name, value in root.items()}


def _lists(of: str, value: Any) -> Any:
    """Tables whose keys are all numbers are lists; metadata's keys are whatever its owner chose."""
    if not isinstance(value, dict) or of == "metadata":
        return value
    inner = {name: _lists(name, item) for name, item in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def dollars(cents: int) -> str:
    """`$1,062.50`"""
    return f"${cents // 100:,}.{cents % 100:02d}"


class Args:
    """The parameters of one request, or of one nested object of it. Errors: 400 `ApiError`, naming the parameter."""

    def __init__(self, table: Json, path: str = "") -> None:
        self._left = dict(table)
        self._path = path
        self._inner: list[Args] = []

    def name(self, key: str) -> str:
        """The parameter's full name, as error messages give it."""
        return f"{self._path}[{key}]" if self._path else key

    def has(self, key: str) -> bool:
        """Whether the parameter was sent and not read yet; an empty one counts, it unsets."""
        return key in self._left

    def text(self, key: str, *, longest: int = 5000) -> str | None:
        """The text, or None where it is absent or empty."""
        value = self._left.pop(key, None)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise bad_param(f"Invalid string: {value}", self.name(key))
        if len(value) > longest:
            raise bad_param(f"Invalid string: must be at most {longest} characters", self.name(key))
        return value

    def required(self, key: str) -> str:
        """The text of a parameter that must be there."""
        value = self.text(key)
        if value is None:
            raise bad_param(f"Missing required param: {self.name(key)}.", self.name(key), "parameter_missing")
        return value

    def whole(self, key: str, *, least: int | None = None, most: int | None = None) -> int | None:
        """A whole number."""
        value = self.text(key)
        if value is None:
            return None
        if not value.removeprefix("-").isdecimal():
            raise bad_param(f"Invalid integer: {value}", self.name(key), "parameter_invalid_integer")
        number = int(value)
        if least is not None and number < least:
            sentence = f"This value must be greater than or equal to {least}."
            raise bad_param(sentence, self.name(key), "parameter_invalid_integer")
        if most is not None and number > most:
            sentence = f"This value must be less than or equal to {most}."
            raise bad_param(sentence, self.name(key), "parameter_invalid_integer")
        return number

    def flag(self, key: str) -> bool | None:
        """`true` or `false`."""
        value = self.text(key)
        if value not in (None, "true", "false"):
            raise bad_param(f"Invalid boolean: {value}", self.name(key))
        return None if value is None else value == "true"

    def choice(self, key: str, *allowed: str) -> str | None:
        """One of the allowed words."""
        value = self.text(key)
        if value is not None and value not in allowed:
            sentence = f"Invalid {self.name(key)}: must be one of {', '.join(allowed)}"
            raise bad_param(sentence, self.name(key))
        return value

    def table(self, key: str) -> "Args | None":
        """A nested object, None where it is absent or emptied."""
        value = self._left.pop(key, None)
        if value is None or value == "":
            return None
        if not isinstance(value, dict):
            raise bad_param("Invalid object", self.name(key))
        return self._nested(value, self.name(key))

    def tables(self, key: str) -> "list[Args]":
        """A list of nested objects."""
        items = self._left.pop(key, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise bad_param("Invalid array", self.name(key))
        return [self._nested(item, f"{self.name(key)}[{at}]") for at, item in enumerate(items)]

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        items = self._left.pop(key, [])
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise bad_param("Invalid array", self.name(key))
        return items

    def metadata(self, current: Json | None = None) -> dict[str, str]:
        """`current` with the sent keys merged in; an empty value removes its key, an empty `metadata` all of them."""
        value = self._left.pop("metadata", None)
        if value is None:
            return dict(current or {})
        if value == "":
            return {}
        if not isinstance(value, dict):
            raise bad_param("Invalid object", self.name("metadata"))
        merged = {**(current or {}), **value}
        merged = {key: item for key, item in merged.items() if item != ""}
        for key, item in merged.items():
            if not isinstance(item, str) or len(item) > METADATA_VALUE_LENGTH_MAX or len(key) > METADATA_KEY_LENGTH_MAX:
                raise bad_param(f"Invalid metadata value or key: {key}", self.name(f"metadata[{key}]"))
        if len(merged) > METADATA_KEYS_MAX:
            raise bad_param(f"Metadata can hold {METADATA_KEYS_MAX} keys.", self.name("metadata"))
        return merged

    def amount(self, key: str = "amount") -> int | None:
        """An amount in cents, at least 1: what a charge needs at least is the caller's to check."""
        cents = self.whole(key, least=1)
        if cents is not None and cents > AMOUNT_MAX_CENTS:
            raise bad_param("Amount must be no more than $999,999.99", self.name(key), "amount_too_large")
        return cents

    def done(self) -> None:
        """Nothing was sent that nobody asked for. Errors: 400 `parameter_unknown`."""
        for key in self._left:
            sentence = f"Received unknown parameter: {self.name(key)}"
            raise bad_param(sentence, self.name(key), "parameter_unknown")
        for inner in self._inner:
            inner.done()

    def _nested(self, table: Json, path: str) -> "Args":
        inner = Args(table, path)
        self._inner.append(inner)
        return inner
