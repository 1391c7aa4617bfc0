"""Which reader reads a body, and what is too large to keep: the only place that knows formats by their content type."""

from collections.abc import Iterable, Iterator
from typing import Final

from billing.claim import ClaimResult
from edges.formats.envelope import Envelope
from edges.formats.rejected import Rejected
from edges.formats.x12_segments import Unreadable
from edges.inbound.media import FHIR, X12

Reading = ClaimResult | Rejected
"""One claim of a body: read, or not readable with its reasons."""

MOST_CLAIMS: Final = 20_000
CLAIM_BYTES: Final = 200
"""What is read of one body: a real claim has 200 bytes and more, so 4 MB hold no more than these, and 50 MB 250,000. Of
"CLP*~" 4 MB would hold 800,000."""
RESULT_BYTES: Final = 350_000
"""What one result may weigh in the table; DynamoDB takes 400 kB."""


def readings(
    body: Iterable[bytes], content_type: str, size: int, warnings: list[str], envelope: Envelope
) -> Iterator[Reading]:
    """Every claim of the body, which comes in pieces and is `size` bytes long, in order; what is wrong around the
    claims is added to `warnings`, and `envelope` follows the reading.

    Raises Unreadable where nothing (more) can be read.
    """
    most = max(MOST_CLAIMS, size // CLAIM_BYTES)
    for number, claim in enumerate(_reader(body, content_type, warnings, envelope)):
        if number == most:
            yield Rejected("", "", (f"file: more than {most:,} claims: send it in parts",))
            return
        if isinstance(claim, ClaimResult) and weight_of(claim) > RESULT_BYTES:
            yield Rejected(claim.claim_id, claim.payer_claim_id, ("claim: too many lines and adjustments to keep",))
        else:
            yield claim


def _reader(body: Iterable[bytes], content_type: str, warnings: list[str], envelope: Envelope) -> Iterator[Reading]:
    # Imported when needed: the JSON reader brings pydantic with it, and 835 files do not pay for that.
    if content_type == X12:
        from edges.formats.x12_835 import read_835

        return read_835(body, warnings, envelope)
    return _json(b"".join(body), content_type, warnings, envelope)


def _json(body: bytes, content_type: str, warnings: list[str], envelope: Envelope) -> Iterator[Reading]:
    from edges.formats import claim_json, fhir
    from edges.formats.claim_json import NotAClaimResult
    from edges.strict_json import NotJson

    try:
        return iter(fhir.parse(body)) if content_type == FHIR else claim_json.parse_batch(body, warnings, envelope)
    except (NotJson, NotAClaimResult) as unreadable:  # the door let it in: its rules were others then
        raise Unreadable(str(unreadable)) from unreadable


def weight_of(result: ClaimResult) -> int:
    """About how many bytes the result is in the table, never less: names of fields included, all texts are short."""
    return 1_500 + 320 * len(result.lines) + 60 * len(result.all_adjustments)
