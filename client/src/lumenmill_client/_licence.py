"""Licences that users state for their files."""

import re

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.licences import known_commercial_use

__all__ = ["licence_from_spdx"]

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,127}")


def licence_from_spdx(spdx_id: str, *, allows_commercial_use: bool | None = None, field: str = "licence") -> Licence:
    """Return the licence with an SPDX identifier, or `LicenseRef-…` for a licence without one.

    Without `allows_commercial_use` it is derived for common licences and unknown for others; exports for commercial use
    exclude files with unknown terms.

    Raises:
        InvalidArgumentError: `spdx_id` is not an identifier; names `field`.
    """
    if not _SPDX.fullmatch(spdx_id):
        raise InvalidArgumentError(
            field, f"{spdx_id!r} is not an SPDX identifier such as CC0-1.0 or CC-BY-4.0, or LicenseRef-…"
        )
    if allows_commercial_use is None:
        allows_commercial_use = known_commercial_use(spdx_id)
    return Licence(spdx_id=spdx_id, allows_commercial_use=allows_commercial_use)
