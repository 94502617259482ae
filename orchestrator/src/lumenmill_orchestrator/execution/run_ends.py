"""How a run ends whose items have all ended: completed, unless failures are all that came of it."""

from collections.abc import Collection

from lumenmill_orchestrator.storage import StepTotals

__all__ = ["has_only_failures"]


def has_only_failures(steps: Collection[StepTotals], items: StepTotals, samples: StepTotals) -> bool:
    """Return whether a run made nothing because calls or items failed.

    A run in which a gate has rejected a result did what its recipe says, even if no sample was accepted.

    Args:
        steps: counts of its steps, sources excluded.
        items: counts of its items; those that failed outside of their steps have no samples.
        samples: counts of its samples; skipped ones are among those that failed.
    """
    if samples.num_accepted or any(step.num_rejected for step in steps):
        return False
    if items.num_failed and items.num_failed == items.num_ended:
        return True
    if not any(step.num_failed for step in steps):
        return False
    # A recipe may exclude samples by conditions; then results without samples are all that it asked for.
    return samples.num_ended > 0 or not any(step.num_accepted for step in steps)
