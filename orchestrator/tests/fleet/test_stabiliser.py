"""More pods at once, fewer only after a while, and only as far as was not needed within it."""

from lumenmill_orchestrator.fleet.demand import Demand
from lumenmill_orchestrator.fleet.objects import Deployment
from lumenmill_orchestrator.fleet.stabiliser import Stabiliser, needed_pods
from lumenmill_orchestrator.mesh import Load


def _deployment(fewest: int, most: int) -> Deployment:
    return Deployment("mill-wan", "wan", 0, fewest, most, 600.0, 300.0, "builtin", 1, "", 600.0, "")


def test_pods_stay_within_their_bounds() -> None:
    much = Demand(Load(num_waiting=20, backlog_s=12000.0), 600.0)
    assert needed_pods(much, _deployment(0, 100), 0.0) == 20
    assert needed_pods(much, _deployment(0, 4), 0.0) == 4
    none = Demand(Load(last_work_s=1000.0), 600.0)
    assert needed_pods(none, _deployment(0, 4), 1030.0) == 1, "the last one stays for a while"
    assert needed_pods(none, _deployment(0, 4), 1100.0) == 0
    assert needed_pods(none, _deployment(2, 4), 1100.0) == 2


def test_down_after_a_while_and_only_as_far() -> None:
    stabiliser = Stabiliser(0, 0.0)
    assert stabiliser.num_desired(0, 4, 300.0, 10.0) == 4
    assert stabiliser.num_desired(4, 1, 300.0, 20.0) == 4
    assert stabiliser.num_desired(4, 3, 300.0, 200.0) == 4, "not yet"
    assert stabiliser.num_desired(4, 1, 300.0, 311.0) == 3, "three were needed within the last five minutes"
    assert stabiliser.num_desired(3, 6, 300.0, 320.0) == 6
    assert stabiliser.num_desired(6, 0, 300.0, 619.0) == 6
    assert stabiliser.num_desired(6, 0, 300.0, 621.0) == 0


def test_whoever_has_just_begun_takes_nothing_away() -> None:
    stabiliser = Stabiliser(5, 0.0)
    assert stabiliser.num_desired(5, 0, 300.0, 5.0) == 5
    assert stabiliser.num_desired(5, 0, 300.0, 299.0) == 5
    assert stabiliser.num_desired(5, 0, 300.0, 301.0) == 0


def test_the_while_is_the_operators_choice() -> None:
    stabiliser = Stabiliser(2, 0.0)
    assert stabiliser.num_desired(2, 0, 10.0, 9.0) == 2
    assert stabiliser.num_desired(2, 0, 10.0, 11.0) == 0
