"""Light groups by how their ids begin."""

from lumenmill_client._client import Client
from lumenmill_common.errors import InvalidArgumentError, NotFoundError

__all__ = ["find_group"]

_MAX_NAMED = 3


def find_group(client: Client, run_id: str, beginning: str) -> str:
    """Return the id of the one light group that has this id or whose id begins so; of all runs without `run_id`.

    Raises:
        NotFoundError: there is none.
        InvalidArgumentError: there are several; names `--group` and some of them.
    """
    if next(client.samples(run_id, group_id=beginning), None) is not None:
        return beginning
    groups = {sample.group_id: None for sample in client.samples(run_id) if sample.group_id.startswith(beginning)}
    if not groups:
        raise NotFoundError(f"no light group begins with {beginning}; `lumenmill samples` shows the ids of groups")
    if len(groups) > 1:
        named = ", ".join([*list(groups)[:_MAX_NAMED], *(["…"] if len(groups) > _MAX_NAMED else [])])
        raise InvalidArgumentError("--group", f"{len(groups)} light groups begin with {beginning}: {named}")
    return next(iter(groups))
