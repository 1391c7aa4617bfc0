"""Turn billing/carc_plain.csv into billing/carc_table.py.

`billing/` does no I/O, so the sentences are compiled in. The csv stays the place where a person edits them; a test
holds the two together. Run as `python -m infra.make_carc_table` after an edit.
"""

import csv
from pathlib import Path

BILLING = Path(__file__).parent.parent / "billing"
SOURCE = BILLING / "carc_plain.csv"
TARGET = BILLING / "carc_table.py"

HEADER = '''\
"""Adjustment reason codes and what Kindbill says about them: code|group usually seen|suggested action|sentence.

Made from carc_plain.csv by infra/make_carc_table.py: edit the csv, then make this file again. The sentences are our
own, not the texts of the code list.
"""

# ruff: noqa: E501 - one code is one line, so that a change to a sentence reads as one in a diff
ROWS: tuple[str, ...] = (
'''


def render(csv_text: str) -> str:
    """The Python source for a csv of code, group_usually_seen, plain_language, suggested_action.

    Raises ValueError when a code is listed twice or a field holds the separator.
    """
    lines: list[str] = []
    seen: set[str] = set()
    for row in csv.DictReader(csv_text.splitlines()):
        fields = (row["code"], row["group_usually_seen"], row["suggested_action"], row["plain_language"])
        if row["code"] in seen:
            raise ValueError(f"code {row['code']} is listed twice")
        if any("|" in field or '"' in field or "\\" in field for field in fields):
            raise ValueError(f"code {row['code']}: a field may not hold a bar, a double quote or a backslash")
        seen.add(row["code"])
        lines.append(f'    "{"|".join(fields)}",\n')
    return HEADER + "".join(lines) + ")\n"


def main() -> None:
    """Write the table next to its csv."""
    TARGET.write_text(render(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
