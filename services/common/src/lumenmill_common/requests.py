"""Fields of a request that a model family does not take."""

from google.protobuf.message import Message

from lumenmill_common.errors import InvalidArgumentError

__all__ = ["refuse"]


def refuse(request: Message, *fields: tuple[str, str]) -> None:
    """Refuses fields that a family does not take; each with the words that say what would be right.

    Raises:
        InvalidArgumentError: one is set.
    """
    set_fields = {field.name for field, _ in request.ListFields()}
    for field, problem in fields:
        if field in set_fields:
            raise InvalidArgumentError(field, problem)
