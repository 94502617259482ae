"""The order in which a shared queue is emptied."""

import itertools
import random
from collections import Counter

from lumenmill_common.fair_queue import TURNS_PER_LOWER_TURN, FairQueue, Place

_LOW, _NORMAL, _HIGH = 1, 2, 3


def _queue(*entries: tuple[str, Place]) -> FairQueue[str]:
    queue = FairQueue[str]()
    for name, place in entries:
        queue.add(name, place)
    return queue


def _flood(number: int, priority: int = _NORMAL, caller: str = "ann", run_id: str = "big") -> list[tuple[str, Place]]:
    return [(f"{caller}/{run_id}/{index}", Place(priority, caller, run_id, index)) for index in range(number)]


def _taken(queue: FairQueue[str], number: int) -> list[str]:
    taken = []
    for _ in range(number):
        first = queue.first()
        assert first is not None
        queue.take(first)
        taken.append(first)
    return taken


def test_an_empty_queue_has_no_first_entry() -> None:
    queue = _queue()
    assert (queue.first(), len(queue), queue.in_order()) == (None, 0, [])


def test_entries_of_a_run_are_taken_in_their_order_and_equal_ones_as_they_came() -> None:
    orders = [3, 1, 2, 1]
    queue = _queue(*((f"{order}-{number}", Place(_NORMAL, "ann", "r", order)) for number, order in enumerate(orders)))
    assert queue.in_order() == ["1-1", "1-3", "2-2", "3-0"]


def test_runs_of_a_caller_take_turns() -> None:
    queue = _queue(*_flood(1000), ("one", Place(_NORMAL, "ann", "small", 0)))
    assert "one" in _taken(queue, 2)
    runs = [_flood(10, run_id=run) for run in "abc"]
    assert [name.split("/")[1] for name in _queue(*itertools.chain(*runs)).in_order()] == list("abc") * 10


def test_callers_take_turns_however_many_runs_they_have() -> None:
    runs = [_flood(5, run_id=f"run-{number}") for number in range(20)]
    taken = _taken(_queue(*itertools.chain(*runs), *_flood(10, caller="bob")), 20)
    assert Counter(name.split("/")[0] for name in taken) == {"ann": 10, "bob": 10}


def test_a_run_that_queues_one_call_at_a_time_is_next_whenever_it_returns() -> None:
    queue = _queue(*_flood(1000))
    queue.add("first", Place(_NORMAL, "ann", "small"))
    while "first" in queue:
        _taken(queue, 1)
    for number in range(20):
        _taken(queue, 1)  # the flood, meanwhile
        queue.add(f"call {number}", Place(_NORMAL, "ann", "small"))
        assert _taken(queue, 1) == [f"call {number}"]


def test_a_run_that_had_a_turn_is_not_new_when_its_caller_queues_again() -> None:
    queue = _queue(("served", Place(_NORMAL, "ann", "long")))
    _taken(queue, 1)  # the caller has no entries then
    queue.add("again", Place(_NORMAL, "ann", "long"))
    queue.add("first", Place(_NORMAL, "ann", "short"))
    assert _taken(queue, 2) == ["first", "again"]


def test_new_runs_without_end_do_not_keep_a_run_from_its_turns() -> None:
    queue = _queue(*_flood(10, run_id="old"))
    served = 0
    for number in range(100):
        queue.add(f"new {number}", Place(_NORMAL, "ann", f"new-{number}"))
        served += _taken(queue, 1)[0].startswith("ann/old")
    assert served >= 6


def test_a_flood_of_high_priority_leaves_a_share_to_every_lower_one() -> None:
    queue = _queue(*_flood(1000, _HIGH), *_flood(1000, _NORMAL, "bob"), *_flood(1000, _LOW, "cid"))
    taken = Counter(name.split("/")[0] for name in _taken(queue, TURNS_PER_LOWER_TURN**2 * 2))
    assert taken == {"ann": 112, "bob": 14, "cid": 2}


def test_the_share_of_a_lower_priority_is_at_most_seven_entries_away() -> None:
    queue = _queue(*_flood(1000, _HIGH))
    _taken(queue, 500)
    queue.add("low", Place(_LOW, "bob"))
    assert "low" in _taken(queue, TURNS_PER_LOWER_TURN)
    assert all(name != "low" for name in _taken(queue, 100))


def test_the_announced_order_is_the_order_in_which_entries_are_taken() -> None:
    choose = random.Random(7)  # noqa: S311 - repeatable, no secret
    queue = FairQueue[str]()
    for number in range(3000):
        if not choose.randrange(4) and len(queue):
            entry = choose.choice(list(queue))
            queue.remove(entry) if choose.randrange(2) else queue.take(entry)
            assert entry not in queue
        else:
            place = Place(
                choose.choice([_LOW, _NORMAL, _HIGH]), choose.choice("abc"), choose.choice("xyz"), choose.randrange(9)
            )
            queue.add(f"entry {number}", place)
        if number % 100 == 0:
            expected = queue.in_order()
            assert sorted(expected) == sorted(queue)
    expected = queue.in_order()
    assert _taken(queue, len(queue)) == expected


def test_an_entry_that_is_removed_is_not_a_turn() -> None:
    queue = _queue(*_flood(3), ("one", Place(_NORMAL, "ann", "small")))
    queue.remove("ann/big/0")
    queue.remove("ann/big/0")
    assert queue.in_order() == ["ann/big/1", "one", "ann/big/2"]
