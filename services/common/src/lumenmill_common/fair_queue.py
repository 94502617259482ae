"""A queue that callers and their runs share: nobody waits for ever, however much others have queued.

Entries are ordered by priority. Within a priority callers take turns, within a caller its runs do, and within a run the
entry with the smallest `order` goes first. While entries of lower priorities wait, one turn in `TURNS_PER_LOWER_TURN`
is theirs. docs/adr/0011-shared-queues-and-roles.md says why.
"""

import bisect
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["TURNS_PER_LOWER_TURN", "FairQueue", "Place"]

TURNS_PER_LOWER_TURN = 8
"""While entries of lower priorities wait, one of so many that are taken is one of them."""
# Groups without entries whose last turn is remembered, so that one that queues one entry at a time waits for no more
# than its turn.
_MAX_IDLE_GROUPS = 256

EntryT = TypeVar("EntryT", bound=Hashable)


@dataclass(frozen=True)
class Place:
    """What decides when an entry is taken."""

    priority: int
    """The larger goes first."""
    caller: str = ""
    run_id: str = ""
    """Empty outside of runs."""
    order: int = 0
    """Of entries of one run the smallest goes first; of equal ones the one that came first."""


class _Line(Generic[EntryT]):
    """The entries of one run, in order."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, EntryT]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, order: int, number: int, entry: EntryT) -> None:
        bisect.insort(self._entries, (order, number, entry), key=lambda known: known[:2])

    def remove(self, order: int, number: int) -> None:
        del self._entries[bisect.bisect_left(self._entries, (order, number), key=lambda known: known[:2])]

    def first(self) -> EntryT:
        return self._entries[0][2]

    def copy(self) -> "_Line[EntryT]":
        line = _Line[EntryT]()
        line._entries = self._entries.copy()
        return line


GroupT = TypeVar("GroupT", bound="_Line | _Turns")  # type: ignore[type-arg]  # of any entries


class _Turns(Generic[GroupT]):
    """Groups of entries that take turns: first is the one whose last turn was the longest ago.

    New groups go before all others, so that short runs do not wait; but however many come, the others have a turn after
    as many turns of new ones as there are groups.
    """

    def __init__(self) -> None:
        self.groups: dict[str, GroupT] = {}
        self._new: dict[str, None] = {}
        """Names of groups that have had no turn, in the order in which they came."""
        self._turns: OrderedDict[str, None] = OrderedDict()
        """Names of the others by their last turn, the longest ago first; some have no entries now."""
        self._idle: dict[str, GroupT] = {}
        """Those of the others that have no entries: a caller's runs keep their turns until it queues the next entry."""
        self._num_new_turns = 0
        """Turns of new groups since the last one of another group."""

    def __len__(self) -> int:
        return len(self.groups)

    def join(self, name: str, group: GroupT) -> GroupT:
        """Return the group of a name; `group` becomes it when there is none."""
        if name not in self.groups:
            self.groups[name] = self._idle.pop(name, group)
            if name not in self._turns:
                self._new[name] = None
        return self.groups[name]

    def leave(self, name: str) -> None:
        """Remove a group without entries; its last turn is remembered for a while."""
        group = self.groups.pop(name)
        self._new.pop(name, None)
        if name in self._turns:
            self._idle[name] = group
        if len(self._idle) > _MAX_IDLE_GROUPS:
            oldest = next(idle for idle in self._turns if idle in self._idle)
            del self._turns[oldest], self._idle[oldest]

    def count_turn(self, name: str) -> None:
        """Record that a group has had a turn."""
        self._num_new_turns = self._num_new_turns + 1 if name in self._new else 0
        self._new.pop(name, None)
        self._turns[name] = None
        self._turns.move_to_end(name)

    def next_group(self) -> GroupT:
        """Return the group whose turn it is."""
        new = next(iter(self._new), None)
        other = next((name for name in self._turns if name in self.groups), None)
        name = other if new is None or (other is not None and self._num_new_turns >= len(self.groups)) else new
        return self.groups[name or ""]

    def copy(self) -> "_Turns[GroupT]":
        turns = _Turns[GroupT]()
        turns.groups = {name: group.copy() for name, group in self.groups.items()}  # type: ignore[misc]  # of its own type
        turns._new, turns._num_new_turns = self._new.copy(), self._num_new_turns
        turns._turns = OrderedDict.fromkeys(name for name in self._turns if name in self.groups)
        return turns


class FairQueue(Generic[EntryT]):
    """Entries that wait. `first` is stable: it changes only with the entries."""

    def __init__(self) -> None:
        self._levels: dict[int, _Turns[_Turns[_Line[EntryT]]]] = {}
        self._num_taken: dict[int, int] = {}
        """Entries taken from each priority since lower ones, which waited, had their share."""
        self._places: dict[EntryT, tuple[Place, int]] = {}
        self._num_added = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[EntryT]:
        """Iterate over the entries, in the order in which they were added."""
        return iter(self._places)

    def __contains__(self, entry: EntryT) -> bool:
        return entry in self._places

    def add(self, entry: EntryT, place: Place) -> None:
        """Add an entry."""
        self._num_added += 1
        self._places[entry] = place, self._num_added
        callers = self._levels.setdefault(place.priority, _Turns())
        runs = callers.join(place.caller, _Turns())
        runs.join(place.run_id, _Line()).add(place.order, self._num_added, entry)

    def first(self) -> EntryT | None:
        """Return the entry to take next; None when there is none."""
        if not self._places:
            return None
        runs_of_caller = self._levels[self._next_priority()].next_group()
        return runs_of_caller.next_group().first()

    def take(self, entry: EntryT) -> None:
        """Remove an entry, mostly the first one, and count it as the turn of its run, its caller and its priority."""
        place, _ = self._places[entry]
        self._count_share(place.priority)
        callers = self._levels[place.priority]
        callers.groups[place.caller].count_turn(place.run_id)
        callers.count_turn(place.caller)
        self.remove(entry)

    def remove(self, entry: EntryT) -> None:
        """Remove an entry that is not needed any more; nothing happens when it is not in the queue."""
        if entry not in self._places:
            return
        place, number = self._places.pop(entry)
        callers = self._levels[place.priority]
        runs = callers.groups[place.caller]
        line = runs.groups[place.run_id]
        line.remove(place.order, number)
        if not line:
            runs.leave(place.run_id)
        if not runs:
            callers.leave(place.caller)

    def in_order(self) -> list[EntryT]:
        """Return the entries in the order in which they would be taken if no others came."""
        rest, ordered = self._copy(), list[EntryT]()
        while (entry := rest.first()) is not None:
            rest.take(entry)
            ordered.append(entry)
        return ordered

    def _waiting_priorities(self) -> list[int]:
        return sorted((priority for priority, callers in self._levels.items() if callers), reverse=True)

    def _next_priority(self) -> int:
        *higher, lowest = self._waiting_priorities()
        return next((each for each in higher if self._num_taken.get(each, 0) < TURNS_PER_LOWER_TURN - 1), lowest)

    def _count_share(self, priority: int) -> None:
        waiting = self._waiting_priorities()
        for passed_over in waiting[: waiting.index(priority)]:
            self._num_taken[passed_over] = 0
        if priority != waiting[-1]:
            self._num_taken[priority] = self._num_taken.get(priority, 0) + 1

    def _copy(self) -> "FairQueue[EntryT]":
        queue = FairQueue[EntryT]()
        queue._levels = {priority: callers.copy() for priority, callers in self._levels.items()}
        queue._num_taken, queue._places = self._num_taken.copy(), self._places.copy()
        return queue
