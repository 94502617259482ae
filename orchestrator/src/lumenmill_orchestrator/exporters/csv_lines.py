"""Lines of CSV files, for training code or for spreadsheets."""

import csv
import io
import re
from collections.abc import Iterable

__all__ = ["csv_line"]

# https://owasp.org/www-community/attacks/CSV_Injection; the wide forms are those of East Asian locales.
_LIKE_A_FORMULA = re.compile("[=+\\-@\\t\\r\\n＝＋－＠]")


def csv_line(cells: Iterable[str | float], *, for_spreadsheets: bool = False) -> str:
    """Return cells as one line.

    With `for_spreadsheets` an apostrophe is put before texts that a spreadsheet would take for a formula; numbers stay
    as they are. Training code would read the apostrophe as part of the text.
    """
    line = io.StringIO()
    quoted = [_quoted(cell) for cell in cells] if for_spreadsheets else cells
    # A cell is put between quotation marks only for the characters of the line's end; without them \r would end a row.
    csv.writer(line, lineterminator="\r\n").writerow(quoted)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _quoted(cell: str | float) -> str | float:
    return f"'{cell}" if isinstance(cell, str) and _LIKE_A_FORMULA.match(cell) else cell
