"""Refusal of request fields that a family does not support."""

from google.protobuf.message import Message

from lumenmill_common.errors import InvalidArgumentError

__all__ = ["refuse"]


def refuse(request: Message, *fields: tuple[str, str]) -> None:
    """Refuse fields that a family does not support, each with a text that says what to do instead.

    Raises:
        InvalidArgumentError: one of them is set; names it.
    """
    set_fields = {field.name for field, _ in request.ListFields()}
    for field, problem in fields:
        if field in set_fields:
            raise InvalidArgumentError(field, problem)
