"""Terms of use that people state for the files they bring."""

import re

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.licences import known_commercial_use

__all__ = ["stated_licence"]

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,127}")


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
    if allows_commercial_use is None:
        allows_commercial_use = known_commercial_use(spdx_id)
    return Licence(spdx_id=spdx_id, allows_commercial_use=allows_commercial_use)
