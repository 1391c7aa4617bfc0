"""A request that cannot be taken as it is. Apart from the models, so that whoever does without them starts fast."""


class BadInput(Exception):
    """`status` and the sentence of the answer; `errors` are (field, what is wrong) where there are fields."""

    def __init__(self, status: int, detail: str, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors


def plain(kind: str, message: str) -> str:
    """What pydantic found, without its own words: `kind` is its name of the error."""
    return "must be an object" if kind in ("model_type", "dict_type") else message.removeprefix("Value error, ")
