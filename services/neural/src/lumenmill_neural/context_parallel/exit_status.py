"""Exit statuses of the processes of ranks 1 and above, which rank 0 reads."""

from enum import IntEnum

from lumenmill_common.errors import UnavailableError
from lumenmill_neural.device import is_out_of_memory

__all__ = ["ExitStatus"]


class ExitStatus(IntEnum):
    """Why the process of a rank ended."""

    OK = 0
    FAILED = 70
    OUT_OF_MEMORY = 71
    UNAVAILABLE = 75
    """A dependency such as the store was unavailable; a retry may succeed."""

    @classmethod
    def of(cls, error: BaseException) -> "ExitStatus":
        """Return the status for an error."""
        if is_out_of_memory(error):
            return cls.OUT_OF_MEMORY
        return cls.UNAVAILABLE if isinstance(error, UnavailableError) else cls.FAILED
