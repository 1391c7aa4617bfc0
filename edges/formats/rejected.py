"""A claim of a file or batch that cannot be read as a claim result: reported to the sender, never guessed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rejected:
    """`claim_id` and `payer_claim_id` as far as they could be read, else "".

    Each error is `where: what is wrong`; `where` holds no colon, and no error repeats a value the sender wrote, which
    may be about a patient.
    """

    claim_id: str
    payer_claim_id: str
    errors: tuple[str, ...]
