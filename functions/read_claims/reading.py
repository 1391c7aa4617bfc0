"""Which reader reads a body, and what is too large to keep: the only place that knows formats by their content type."""

from collections.abc import Iterator
from typing import Final

from billing.claim import ClaimResult
from edges.formats.rejected import Rejected
from edges.formats.x12_segments import Unreadable
from edges.inbound.media import FHIR, X12

Reading = ClaimResult | Rejected
"""One claim of a body: read, or not readable with its reasons."""

MOST_CLAIMS: Final = 20_000
"""What is read of one body. A real claim has 200 bytes and more, so 4 MB hold no more than these; of "CLP*~" they hold
800,000, each slice of which would read all before it again, and which no answer could list."""
RESULT_BYTES: Final = 350_000
"""What one result may weigh in the table; DynamoDB takes 400 kB."""


def readings(body: bytes, content_type: str, warnings: list[str]) -> Iterator[Reading]:
    """Every claim of the body, in order; what is wrong around the claims is added to `warnings`.

    Raises Unreadable where nothing (more) can be read.
    """
    for number, claim in enumerate(_reader(body, content_type, warnings)):
        if number == MOST_CLAIMS:
            yield Rejected("", "", (f"file: more than {MOST_CLAIMS:,} claims: send it in parts",))
            return
        if isinstance(claim, ClaimResult) and weight_of(claim) > RESULT_BYTES:
            yield Rejected(claim.claim_id, claim.payer_claim_id, ("claim: too many lines and adjustments to keep",))
        else:
            yield claim


def _reader(body: bytes, content_type: str, warnings: list[str]) -> Iterator[Reading]:
    # Imported when needed: the JSON reader brings pydantic with it, and 835 files do not pay for that.
    if content_type == X12:
        from edges.formats.x12_835 import read_835

        return read_835(body, warnings)
    return _json(body, content_type, warnings)


def _json(body: bytes, content_type: str, warnings: list[str]) -> Iterator[Reading]:
    from edges.formats import claim_json, fhir
    from edges.formats.claim_json import NotAClaimResult
    from edges.strict_json import NotJson

    try:
        return iter(fhir.parse(body)) if content_type == FHIR else claim_json.parse_batch(body, warnings)
    except (NotJson, NotAClaimResult) as unreadable:  # the door let it in: its rules were others then
        raise Unreadable(str(unreadable)) from unreadable


def weight_of(result: ClaimResult) -> int:
    """About how many bytes the result is in the table, never less: names of fields included, all texts are short."""
    return 1_500 + 320 * len(result.lines) + 60 * len(result.all_adjustments)
