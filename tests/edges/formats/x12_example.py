"""An 835 of one claim, built segment by segment so that a test can change the one thing it is about."""

from typing import Final

ISA: Final = "ISA*00*          *00*          *ZZ*EXAMPLEPLAN    *ZZ*RIVERBEND      *261120*1200*^*00501*000000001*0*P*:"
GS: Final = "GS*HP*EXAMPLEPLAN*RIVERBEND*20261120*1200*1*X*005010X221A1"
TAIL: Final = ("GE*1*1", "IEA*1*000000001")
PAYER: Final = ("N1*PR*EXAMPLE HEALTH PLAN*XV*87726", "REF*2U*87727")
CLAIM: Final = (
    "CLP*KB7Q2M9X41*1*150*42.5*62.5*12*2026000123*11*1",
    "NM1*QC*1*SAMPLE*PAT****MI*MBR0001",
    "DTM*232*20261030",
    "SVC*HC:90834*150*42.5**1",
    "DTM*472*20261030",
    "CAS*CO*45*45",
    "CAS*PR*1*40**3*22.5",
    "REF*6R*KB7Q2M9X41L1",
)


def transaction(
    *claims: str, control: str = "0001", payment: str = "42.5", payer: tuple[str, ...] = PAYER
) -> list[str]:
    """ST to SE around the segments of claims, counted."""
    body = [
        f"ST*835*{control}",
        f"BPR*I*{payment}*C*ACH*CCP*01*999999992*DA*123456*1512345678**01*999988880*DA*98765*20261121",
        "TRN*1*TRACE1*1512345678",
        "DTM*405*20261120",
        *payer,
        "N1*PE*RIVERBEND COUNSELING*XX*1234567893",
        "REF*TJ*123456789",
        "LX*1",
        *(claims or CLAIM),
    ]
    return [*body, f"SE*{len(body) + 1}*{control}"]


def document(*segments: str, isa: str = ISA, end: str = "~\n") -> bytes:
    """A whole interchange; without segments, of the one claim."""
    return end.join([isa, GS, *(segments or transaction()), *TAIL, ""]).encode()


def changed(segment: str, into: str) -> bytes:
    """The file of one claim with one segment changed into another, or left out when `into` is ""."""
    assert segment in CLAIM
    claims = [into if each == segment else each for each in CLAIM]
    return document(*transaction(*(each for each in claims if each)))
