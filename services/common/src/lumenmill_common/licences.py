"""Whether well-known licences allow commercial use, by SPDX identifier."""

import re

__all__ = ["known_commercial_use"]

# Licences of works and data of https://spdx.org/licenses/ that allow commercial use, also of modified works.
_ALLOWED = frozenset(
    spdx_id.lower()
    for spdx_id in (
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0",
        "CC-BY-SA-2.0", "CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-PDDC", "CC0-1.0", "CDLA-Permissive-1.0",
        "CDLA-Permissive-2.0", "ISC", "MIT", "ODC-By-1.0", "PDDL-1.0", "Unlicense",
    )
)  # fmt: skip
_FORBIDDEN = re.compile(r"cc-by-nc(-nd|-sa)?-[0-9.]+(-[a-z]+)?")


def known_commercial_use(spdx_id: str) -> bool | None:
    """Return whether a licence allows commercial use; None for identifiers that are not known here.

    Identifiers are case-insensitive. Creative Commons licences with the element NC forbid commercial use.
    """
    lower = spdx_id.lower()
    if _FORBIDDEN.fullmatch(lower):
        return False
    return True if lower in _ALLOWED else None
