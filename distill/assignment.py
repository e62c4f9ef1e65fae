"""Which occurrence each mention means: its own one, found for all mentions together."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from distill.document import Span
from distill.folding import CASE
from distill.occurrences import Place

# What speaks against a place, in the order of weight. Losing a mention is worse than all of these. A repaired place
# (level 10 at most) goes before one inside another name, and that before a conflict of labels.
LOST, CONFLICT, NESTED, LEVEL, LOWER, GLUED, INVERSION = 20_000, 5_000, 1_500, 100, 8, 6, 4

MOST_STEPS = 100_000  # up to here, a fraction of a second, every place is weighed
COMMON = 4  # a string with more places than this for each of its mentions is a common word

Cost = tuple[int, int]
"""What speaks against a choice, and the sum of its starts: of equal choices the earliest is taken."""
Step = list[tuple[Cost, int]]
"""For each place of a mention the cheapest way to it, and the index of the place before it on that way."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """One mention of a teacher's list and the places where it may stand, left to right.

    Mentions of one string share one tuple of places.
    """

    label: str
    places: tuple[Place, ...]


def assign(demands: Sequence[Demand]) -> list[Place | None]:
    """One place for each demand, or None where other mentions of the same label hold all of its places.

    Places of one label differ. Lists are in order of appearance within a label, so the choice keeps that order where
    the mentions that leave no choice keep it too. A place inside or across another mention's is avoided, and so is one
    that another label holds.
    """
    inside = overlaps({place.span for demand in demands for place in demand.places})
    demands = _without_surplus(_thinned(demands, inside), inside)
    burdens = {id(demand.places): [_burden(place, inside) for place in demand.places] for demand in demands}
    lists: dict[str, list[int]] = defaultdict(list)
    for index, demand in enumerate(demands):
        lists[demand.label].append(index)
    orders = [list(lists), list(reversed(lists))] if _shared(demands) else [list(lists)]
    solutions = [_solve(demands, lists, order, burdens) for order in orders]
    return min(solutions, key=lambda solution: solution[0])[1]


def overlaps(spans: Iterable[Span]) -> set[Span]:
    """The spans that lie inside another one or cross an earlier one."""
    found: set[Span] = set()
    reach = -1
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if span[0] < reach:
            found.add(span)
        reach = max(reach, span[1])
    return found


def _thinned(demands: Sequence[Demand], inside: set[Span]) -> Sequence[Demand]:
    """Where a common word is said often, only the places that count: time is mentions times places.

    Between two places of rarer mentions one place is as good as another, so as many as there are mentions of the word
    are kept, the first ones of each burden. Of several common words that alternate an order may so be missed.
    """
    if sum(len(demand.places) for demand in demands) <= MOST_STEPS:
        return demands
    times = Counter(id(demand.places) for demand in demands)
    rare = [demand.places for demand in demands if len(demand.places) <= COMMON * times[id(demand.places)]]
    marks = sorted({place.start for places in rare for place in places})
    kept: dict[int, tuple[Place, ...]] = {id(places): places for places in rare}
    for demand in demands:
        if id(demand.places) not in kept:
            kept[id(demand.places)] = _first(demand.places, times[id(demand.places)], marks, inside)
    return [Demand(demand.label, kept[id(demand.places)]) for demand in demands]


def _first(places: tuple[Place, ...], most: int, marks: list[int], inside: set[Span]) -> tuple[Place, ...]:
    """So many places of each burden after each mark."""
    seen: Counter[tuple[int, int]] = Counter()
    kept = []
    for place in places:
        where = bisect_right(marks, place.start), _burden(place, inside)
        seen[where] += 1
        if seen[where] <= most:
            kept.append(place)
    return tuple(kept)


def _without_surplus(demands: Sequence[Demand], inside: set[Span]) -> list[Demand]:
    """Repeats beyond the places there are get none, nor do those that only a longer mention's inside is left for."""
    times = Counter((demand.label, id(demand.places)) for demand in demands)
    labels = Counter(places for _, places in times)
    free = {
        id(demand.places): tuple(place for place in demand.places if place.span not in inside) or demand.places
        for demand in demands
        if times[demand.label, id(demand.places)] > 1
    }
    asked: Counter[tuple[str, int]] = Counter()
    repeats: Counter[int] = Counter()
    kept = []
    for demand in demands:
        shared = id(demand.places)
        places = free[shared] if times[demand.label, shared] > 1 else demand.places
        asked[demand.label, shared] += 1
        if asked[demand.label, shared] > 1:
            # Every label has its first mention placed before any has its second.
            repeats[shared] += 1
            places = places if repeats[shared] <= len(places) - labels[shared] else ()
        kept.append(Demand(demand.label, places))
    return kept


def _burden(place: Place, inside: set[Span]) -> int:
    """What speaks against a place, whoever takes it."""
    lower = place.lower and place.level >= CASE
    return LEVEL * place.level + NESTED * (place.span in inside) + LOWER * lower + GLUED * place.glued


def _shared(demands: Sequence[Demand]) -> bool:
    """Whether two labels may want the same place."""
    owner: dict[Span, str] = {}
    distinct = {(demand.label, id(demand.places)): demand for demand in demands}.values()
    return any(
        owner.setdefault(place.span, demand.label) != demand.label for demand in distinct for place in demand.places
    )


def _solve(
    demands: Sequence[Demand], lists: Mapping[str, list[int]], order: list[str], burdens: Mapping[int, list[int]]
) -> tuple[Cost, list[Place | None]]:
    """The lists one after another, each on the places that those before it left."""
    chosen: list[Place | None] = [None] * len(demands)
    held: set[Span] = set()
    total, starts = 0, 0
    for label in order:
        wanted = [demands[index].places for index in lists[label]]
        weights = _weights(wanted, burdens, held)
        inversion = INVERSION if _ordered(wanted) else 0
        picks = _apart(wanted, _in_order(wanted, weights, inversion), weights)
        entries = zip(lists[label], wanted, picks, strict=True)
        placed = [(index, places[pick]) for index, places, pick in entries if pick >= 0]
        for index, place in placed:
            chosen[index] = place
            held.add(place.span)
        turns = sum(one.start > other.start for (_, one), (_, other) in pairwise(placed))
        burden = sum(weight[pick] if pick >= 0 else LOST for pick, weight in zip(picks, weights, strict=True))
        total += burden + inversion * turns
        starts += sum(place.start for _, place in placed)
    return (total, starts), chosen


def _weights(wanted: list[tuple[Place, ...]], burdens: Mapping[int, list[int]], held: set[Span]) -> list[list[int]]:
    """The burden of every place, heavier where another label holds it."""
    known: dict[int, list[int]] = {}
    for places in wanted:
        if id(places) not in known:
            burden = burdens[id(places)]
            if held:
                burden = [each + CONFLICT * (place.span in held) for each, place in zip(burden, places, strict=True)]
            known[id(places)] = burden
    return [known[id(places)] for places in wanted]


def _ordered(wanted: Sequence[tuple[Place, ...]]) -> bool:
    """Whether the mentions with one place only show a list in order of appearance (one slip in four is forgiven)."""
    anchors = [places[0].start for places in wanted if len(places) == 1]
    turns = sum(one > other for one, other in pairwise(anchors))
    return turns * 4 <= len(anchors) - 1 or not anchors


def _in_order(wanted: Sequence[tuple[Place, ...]], weights: Sequence[list[int]], inversion: int) -> list[int]:
    """The cheapest choice for a list when each step back in the text costs an inversion (Viterbi, linear in places).

    An index for each mention, -1 where it has no place.
    """
    steps: list[Step] = []
    before: tuple[Place, ...] = ()
    for places, weight in zip(wanted, weights, strict=True):
        if places:
            steps.append(_step(steps[-1] if steps else [], before, places, weight, inversion))
            before = places
    picks = [-1] * len(wanted)
    back: int | None = None
    for index in range(len(wanted) - 1, -1, -1):
        if wanted[index]:
            step = steps.pop()
            picks[index] = min(range(len(step)), key=lambda each: step[each][0]) if back is None else back
            back = step[picks[index]][1]
    return picks


def _step(last: Step, before: tuple[Place, ...], places: tuple[Place, ...], weight: list[int], inversion: int) -> Step:
    """The step to `places` from the places `before`."""
    if not last:
        return [((cost, place.start), -1) for cost, place in zip(weight, places, strict=True)]
    ranked = sorted(range(len(last)), key=lambda each: last[each][0])[:2]
    backward = [((last[each][0][0] + inversion, last[each][0][1]), each, before[each].span) for each in ranked]
    step: Step = []
    ahead, best = 0, -1
    for place, burden in zip(places, weight, strict=True):
        while ahead < len(before) and before[ahead].span < place.span:
            if best < 0 or last[ahead][0] < last[best][0]:
                best = ahead
            ahead += 1
        (cost, starts), way, span = backward[-1] if backward[0][2] == place.span else backward[0]
        if span == place.span:
            cost += LOST
        if best >= 0 and last[best][0] <= (cost, starts):
            (cost, starts), way = last[best][0], best
        step.append(((cost + burden, starts + place.start), way))
    return step


def _apart(wanted: Sequence[tuple[Place, ...]], picks: list[int], weights: Sequence[list[int]]) -> list[int]:
    """Each place once: the plainer match keeps it, then the earlier in the list; the others move or are lost."""
    taken: set[Span] = set()
    apart = [-1] * len(picks)
    waiting = []
    for _, index in sorted((wanted[index][pick].rank, index) for index, pick in enumerate(picks) if pick >= 0):
        span = wanted[index][picks[index]].span
        if span in taken:
            waiting.append(index)
        else:
            taken.add(span)
            apart[index] = picks[index]
    for index in waiting:
        places, weight = wanted[index], weights[index]
        free = [at for at in range(len(places)) if places[at].span not in taken]
        if free:
            apart[index] = min(free, key=lambda at: (weight[at], places[at].start))
            taken.add(places[apart[index]].span)
    return _sorted(wanted, apart, weights)


def _sorted(wanted: Sequence[tuple[Place, ...]], apart: list[int], weights: Sequence[list[int]]) -> list[int]:
    """Mentions that share their places take those they got in the order of the list."""
    sharing: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, pick in enumerate(apart):
        if pick >= 0:
            sharing[id(wanted[index]), id(weights[index])].append(index)
    for indices in sharing.values():
        for index, pick in zip(indices, sorted(apart[index] for index in indices), strict=True):
            apart[index] = pick
    return apart
