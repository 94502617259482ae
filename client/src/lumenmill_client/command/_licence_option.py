"""`--licence` and `--commercial-use`: the terms of files that a command uploads."""

from typing import Annotated

import typer
from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.licences import known_commercial_use

from lumenmill_client._licence import stated_licence

__all__ = ["CommercialUse", "SpdxId", "parse_licence"]

SpdxId = Annotated[
    str,
    typer.Option(
        "--licence",
        metavar="SPDX",
        help="Terms of the files that are uploaded: CC0-1.0, CC-BY-4.0, LicenseRef-mine … Where they are not stated, "
        "exports for commercial use leave out what is made of the files.",
    ),
]
CommercialUse = Annotated[
    bool | None,
    typer.Option(
        "--commercial-use/--no-commercial-use",
        help="Whether --licence allows commercial use. Default: as known of common licences, else unknown.",
    ),
]


def parse_licence(spdx_id: str, allows_commercial_use: bool | None) -> Licence | None:
    """The terms that the options state; None when they state none.

    Raises:
        InvalidArgumentError: the identifier is none, use is stated of no licence, or is stated of one that forbids it.
    """
    if not spdx_id and allows_commercial_use is not None:
        raise InvalidArgumentError("--licence", "is needed beside --commercial-use and --no-commercial-use")
    if not spdx_id:
        return None
    if allows_commercial_use and known_commercial_use(spdx_id) is False:
        raise InvalidArgumentError(
            "--commercial-use", f"contradicts {spdx_id}; where you hold other terms, name them as LicenseRef-…"
        )
    return stated_licence(spdx_id, allows_commercial_use=allows_commercial_use, field="--licence")
