"""Write a large 835 for measuring the reader: `python -m bench.make_835 10000 > big.835`.

The same count gives the same bytes. About 430 bytes a claim, one or two services each, shaped like a clearinghouse's
file: padded header, one line per segment.
"""

import random
import sys
from collections.abc import Iterator
from typing import Final

HEADER: Final = (
    f"ISA*00*{'':10}*00*{'':10}*ZZ*{'EXAMPLEPAYER':15}*ZZ*{'EXAMPLECLINIC':15}*261120*1200*^*00501*000000001*0*P*:~\n"
)
PROCEDURES: Final = (("90834", 15_000), ("90837", 18_500), ("90791", 22_000), ("90847", 16_050), ("99213", 12_525))


def segments(claims: int) -> Iterator[str]:
    """The segments of one transaction with `claims` claims that balance."""
    draw = random.Random(835)  # noqa: S311 - test data, and the same every time
    paid, body = 0, []
    for number in range(claims):
        claim_paid, claim = _claim(number, draw)
        paid += claim_paid
        body += claim
    yield "GS*HP*EXAMPLEPAYER*EXAMPLECLINIC*20261120*1200*1*X*005010X221A1"
    yield "ST*835*0001"
    yield f"BPR*I*{_dollars(paid)}*C*ACH*CCP*01*999999992*DA*123456*1512345678**01*999988880*DA*98765*20261120"
    yield "TRN*1*TRACE0001*1512345678"
    yield "DTM*405*20261120"
    yield "N1*PR*EXAMPLE HEALTH PLAN*XV*87726"
    yield "N3*1 EXAMPLE WAY"
    yield "N4*ANYTOWN*OH*45201"
    yield "PER*BL*EDI HELP*TE*8005550100"
    yield "N1*PE*EXAMPLE CLINIC*XX*1234567893"
    yield "REF*TJ*123456789"
    yield "LX*1"
    yield from body
    yield f"SE*{len(body) + 12}*0001"
    yield "GE*1*1"
    yield "IEA*1*000000001"


def document(claims: int) -> bytes:
    """The whole file."""
    return (HEADER + "".join(f"{segment}~\n" for segment in segments(claims))).encode("ascii")


def _claim(number: int, draw: random.Random) -> tuple[int, list[str]]:
    """What the payer pays for one claim, in cents, and the claim's segments."""
    services = [draw.choice(PROCEDURES) for _ in range(draw.choice((1, 2)))]
    day = f"202610{draw.randint(1, 28):02d}"
    lines: list[str] = []
    paid_total = owed_total = 0
    for place, (procedure, charged) in enumerate(services, start=1):
        discount = draw.randrange(1_000, 5_000, 5)
        deductible, copay = draw.choice((0, 2_000, 4_000)), draw.choice((1_500, 2_250, 3_000))
        paid = charged - discount - deductible - copay
        paid_total, owed_total = paid_total + paid, owed_total + deductible + copay
        patient = f"1*{_dollars(deductible)}**3*{_dollars(copay)}" if deductible else f"3*{_dollars(copay)}"
        lines += [
            f"SVC*HC:{procedure}*{_dollars(charged)}*{_dollars(paid)}**1",
            f"DTM*472*{day}",
            f"CAS*CO*45*{_dollars(discount)}",
            f"CAS*PR*{patient}",
            f"REF*6R*KB{number:08d}L{place}",
            f"AMT*B6*{_dollars(charged - discount)}",
        ]
    charged_total = sum(charged for _, charged in services)
    head = [
        f"CLP*KB{number:08d}*1*{_dollars(charged_total)}*{_dollars(paid_total)}*{_dollars(owed_total)}*12*"
        f"2026{number:09d}*11*1",
        "NM1*QC*1*SAMPLE*PAT****MI*MBR0001",
        "NM1*74*1*SAMPLE*PATRICIA****C*MBR0001",
        "NM1*82*2*EXAMPLE CLINIC*****XX*1234567893",
        "MOA***MA01",
        "REF*CE*EXAMPLE PLAN",
        f"DTM*232*{day}",
        f"DTM*233*{day}",
        "DTM*050*20261101",
    ]
    return paid_total, head + lines


def _dollars(cents: int) -> str:
    """Cents as X12 writes them: no trailing zeros, no point without need."""
    whole, rest = divmod(cents, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") if rest else str(whole)


if __name__ == "__main__":
    sys.stdout.buffer.write(document(int(sys.argv[1])))
