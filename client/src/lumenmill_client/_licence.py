"""Terms of use that people state for the files they bring."""

import re

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["stated_licence"]

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,127}")
_NON_COMMERCIAL = re.compile(r"-NC(-|$)")
# Licences of works and data of https://spdx.org/licenses/ that allow commercial use, changed works included.
_COMMERCIAL = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0",
        "CC-BY-SA-2.0", "CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-PDDC", "CC0-1.0", "CDLA-Permissive-1.0",
        "CDLA-Permissive-2.0", "MIT", "ODC-By-1.0", "PDDL-1.0", "Unlicense",
    }
)  # fmt: skip


def stated_licence(spdx_id: str, *, allows_commercial_use: bool | None = None, field: str = "licence") -> Licence:
    """The terms with an SPDX identifier, or `LicenseRef-…` for terms without one.

    `allows_commercial_use` says what the identifier does not. Without it, it is known of common licences alone; for any
    other it stays unknown, which exports for commercial use read as forbidden.

    Raises:
        InvalidArgumentError: `spdx_id` is no identifier; `field` names it.
    """
    if not _SPDX.fullmatch(spdx_id):
        raise InvalidArgumentError(
            field, f"{spdx_id!r} is no SPDX identifier, such as CC0-1.0 or CC-BY-4.0, nor LicenseRef-…"
        )
    if allows_commercial_use is None and spdx_id in _COMMERCIAL:
        allows_commercial_use = True
    elif allows_commercial_use is None and _NON_COMMERCIAL.search(spdx_id):
        allows_commercial_use = False
    return Licence(spdx_id=spdx_id, allows_commercial_use=allows_commercial_use)
