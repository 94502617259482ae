"""The errors of pydantic as pairs of a location and a problem."""

from pydantic import ValidationError

__all__ = ["violations_of"]


def violations_of(error: ValidationError) -> list[tuple[str, str]]:
    """Return each location, such as `FLUX.1-dev.tiers.0.dtype`, and what is wrong there; the location of the whole
    document is empty."""
    problems = error.errors(include_url=False, include_input=False)
    return [
        (".".join(str(part) for part in problem["loc"]), problem["msg"].removeprefix("Value error, "))
        for problem in problems
    ]
