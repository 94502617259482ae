"""How a member ends, as its leader reads it."""

from enum import IntEnum

from lumenmill_common.errors import UnavailableError

from lumenmill_neural.device import is_out_of_memory

__all__ = ["Ending"]


class Ending(IntEnum):
    """Exit statuses of members."""

    IN_ORDER = 0
    FAILED = 70
    OUT_OF_MEMORY = 71
    UNAVAILABLE = 75
    """Something that it needed was away, and may come back."""

    @classmethod
    def of(cls, error: BaseException) -> "Ending":
        """The status for an error."""
        if is_out_of_memory(error):
            return cls.OUT_OF_MEMORY
        return cls.UNAVAILABLE if isinstance(error, UnavailableError) else cls.FAILED
