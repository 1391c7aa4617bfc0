"""The kinds of body this API takes, by their name in `Content-Type`."""

from typing import Final

JSON: Final = "application/json"
X12: Final = "application/edi-x12"
FHIR: Final = "application/fhir+json"


def media_type(content_type: str) -> str:
    """`application/json` of "Application/JSON; charset=utf-8"."""
    return content_type.partition(";")[0].strip().lower()
