"""`--licence` and `--commercial-use`: the licence of files that a command uploads."""

from typing import Annotated

import typer

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill_client._licence import licence_from_spdx
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.licences import known_commercial_use

__all__ = ["CommercialUse", "SpdxId", "parse_licence"]

SpdxId = Annotated[
    str,
    typer.Option(
        "--licence",
        metavar="SPDX",
        help="Licence of the uploaded files: CC0-1.0, CC-BY-4.0, LicenseRef-mine … Without it, exports for commercial "
        "use exclude samples made from the files.",
    ),
]
CommercialUse = Annotated[
    bool | None,
    typer.Option(
        "--commercial-use/--no-commercial-use",
        help="Whether --licence allows commercial use. Default: derived for common licences, else unknown.",
    ),
]


def parse_licence(spdx_id: str, allows_commercial_use: bool | None) -> Licence | None:
    """Return the licence that the options state, or None.

    Raises:
        InvalidArgumentError: the identifier is not valid, use is stated without a licence, or contradicts it.
    """
    if not spdx_id and allows_commercial_use is not None:
        raise InvalidArgumentError("--licence", "is required with --commercial-use and --no-commercial-use")
    if not spdx_id:
        return None
    if allows_commercial_use and known_commercial_use(spdx_id) is False:
        raise InvalidArgumentError(
            "--commercial-use", f"contradicts {spdx_id}; name a different licence that you hold as LicenseRef-…"
        )
    return licence_from_spdx(spdx_id, allows_commercial_use=allows_commercial_use, field="--licence")
