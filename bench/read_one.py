"""One reader reads one file once, in a process of its own: `PYTHONPATH=. python bench/read_one.py kindbill big.835`.

Prints a line of JSON: how many claims it found, CPU seconds from the path of the file to the last claim, and the most
memory the process ever had. Each reader is used as its own documentation or command line uses it.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

CHUNK_BYTES: Final = 1 << 16
Reader = Callable[[Path], tuple[int, object]]
"""Reads a file to its end -> how many claims it found, and what it made of them, whose freeing is not measured."""


def kindbill() -> Reader:
    """Ours: from chunks, each claim balanced and let go."""
    from edges.formats.x12_835 import read_835

    return lambda file: (sum(claim.balances() for claim in read_835(_chunks(file))), None)  # type: ignore[union-attr]


def edi_cli() -> Reader:
    """What `edi convert` does before it prints."""
    from packages.cli.main import parse_edi_content

    def read(file: Path) -> tuple[int, object]:
        root = parse_edi_content(file.read_text(), "x12-835-5010")
        transactions = [t for i in root.interchanges for g in i.functional_groups for t in g.transactions]
        return sum(len(t.transaction_data.claims) for t in transactions), root

    return read


def edi_835_parser() -> Reader:
    """The one call of its documentation."""
    import edi_835_parser as library

    def read(file: Path) -> tuple[int, object]:
        sets = library.parse(str(file))
        return sum(len(found.claims) for found in sets), sets

    return read


READERS: Final[dict[str, Callable[[], Reader]]] = {  # importing is not measured either
    "kindbill": kindbill,
    "edi-cli": edi_cli,
    "edi-835-parser": edi_835_parser,
}


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def peak_kb() -> int:
    """The most memory this process had, in kB. What getrusage calls that would begin with our parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def main() -> None:
    """Read, and say what it took."""
    name, file = sys.argv[1], Path(sys.argv[2])
    read = READERS[name]()
    start = time.process_time()
    claims, _made = read(file)
    seconds = time.process_time() - start
    figures: dict[str, Any] = {"claims": claims, "cpu_seconds": seconds, "peak_kb": peak_kb()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
