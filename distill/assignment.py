"""Which occurrence each mention means: its own one, found for all mentions together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from distill.document import Span
from distill.folding import CASE
from distill.occurrences import Place

# What speaks against a place, in the order of weight. Losing a mention is worse than all of these.
LOST, CONFLICT, LEVEL, NESTED, LOWER, GLUED, INVERSION = 10_000, 1_500, 100, 20, 8, 6, 4

Cost = tuple[int, int]
"""What speaks against a choice, and the sum of its starts: of equal choices the earliest is taken."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One mention of a teacher's list and the places where it may stand, left to right."""

    label: str
    places: tuple[Place, ...]


def assign(demands: Sequence[Demand], glued: Mapping[Place, bool]) -> list[Place | None]:
    """One place for each demand, or None where other mentions of the same label hold all of its places.

    Places of one label differ. Lists are in order of appearance within a label, so the choice keeps that order where
    the mentions that leave no choice keep it too. A place inside or across another mention's is avoided, and so is one
    that another label holds.
    """
    burden = _burden(demands, glued)
    demands = _without_surplus(demands)
    lists: dict[str, list[int]] = defaultdict(list)
    for index, demand in enumerate(demands):
        lists[demand.label].append(index)
    orders = [list(lists), list(reversed(lists))] if _shared(demands) else [list(lists)]
    solutions = [_solve(demands, lists, order, burden) for order in orders]
    return min(solutions, key=lambda solution: solution[0])[1]


def _without_surplus(demands: Sequence[Demand]) -> list[Demand]:
    """Repeats beyond the places there are get none, nor do those that only a longer mention's inside is left for."""
    inside = overlaps({Span(place.start, place.end) for demand in demands for place in demand.places})
    times, asked = Counter(demands), Counter[Demand]()
    labels = Counter(demand.places for demand in times)
    repeats: Counter[tuple[Place, ...]] = Counter()
    kept = []
    for demand in demands:
        asked[demand] += 1
        places = demand.places
        if times[demand] > 1:
            places = tuple(place for place in places if Span(place.start, place.end) not in inside) or places
        if asked[demand] > 1:
            # Every label has its first mention placed before any has its second.
            repeats[demand.places] += 1
            places = places if repeats[demand.places] <= len(places) - labels[demand.places] else ()
        kept.append(Demand(demand.label, places))
    return kept


def _shared(demands: Sequence[Demand]) -> bool:
    """Whether two labels may want the same place."""
    owner: dict[Span, str] = {}
    return any(
        owner.setdefault(Span(place.start, place.end), demand.label) != demand.label
        for demand in demands
        for place in demand.places
    )


def _burden(demands: Sequence[Demand], glued: Mapping[Place, bool]) -> dict[Place, int]:
    """What speaks against each place, whoever takes it."""
    overlapping = overlaps({Span(place.start, place.end) for demand in demands for place in demand.places})
    return {
        place: LEVEL * place.level
        + NESTED * (Span(place.start, place.end) in overlapping)
        + LOWER * (place.lower and place.level >= CASE)
        + GLUED * glued.get(place, False)
        for demand in demands
        for place in demand.places
    }


def overlaps(spans: Iterable[Span]) -> set[Span]:
    """The spans that lie inside another one or cross an earlier one."""
    found: set[Span] = set()
    reach = -1
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start < reach:
            found.add(span)
        reach = max(reach, span.end)
    return found


def _solve(
    demands: Sequence[Demand], lists: Mapping[str, list[int]], order: list[str], burden: Mapping[Place, int]
) -> tuple[Cost, list[Place | None]]:
    chosen: list[Place | None] = [None] * len(demands)
    held: Counter[Span] = Counter()
    total, starts = 0, 0
    for label in order:
        wanted = [demands[index] for index in lists[label]]
        weights = [
            {place: burden[place] + CONFLICT * (held[Span(place.start, place.end)] > 0) for place in demand.places}
            for demand in wanted
        ]
        picks = _apart(_in_order(wanted, weights), weights)
        for index, pick in zip(lists[label], picks, strict=True):
            chosen[index] = pick
            if pick:
                held[Span(pick.start, pick.end)] += 1
        total += _price(picks, weights, INVERSION if _ordered(wanted) else 0)
        starts += sum(pick.start for pick in picks if pick)
    return (total, starts), chosen


def _price(picks: Sequence[Place | None], weights: Sequence[Mapping[Place, int]], inversion: int) -> int:
    placed = [pick for pick in picks if pick]
    turns = sum(one.start > other.start for one, other in pairwise(placed))
    burdens = sum(weight[pick] if pick else LOST for pick, weight in zip(picks, weights, strict=True))
    return burdens + inversion * turns


def _ordered(demands: Sequence[Demand]) -> bool:
    """Whether the mentions with one place only show a list in order of appearance (one slip in four is forgiven)."""
    anchors = [demand.places[0].start for demand in demands if len(demand.places) == 1]
    turns = sum(one > other for one, other in pairwise(anchors))
    return turns * 4 <= len(anchors) - 1 or not anchors


def _in_order(demands: Sequence[Demand], weights: Sequence[Mapping[Place, int]]) -> list[Place | None]:
    """The cheapest choice for a list when each step back in the text costs an inversion (Viterbi, linear in places)."""
    inversion = INVERSION if _ordered(demands) else 0
    steps: list[list[tuple[Cost, Place, int]]] = []
    for demand, weight in zip(demands, weights, strict=True):
        before = steps[-1] if steps else []
        if demand.places:
            steps.append(_step(before, demand.places, weight, inversion))
    picks: list[Place | None] = [None] * len(demands)
    back: int | None = None
    for index in range(len(demands) - 1, -1, -1):
        if demands[index].places:
            step = steps.pop()
            if back is None:
                back = min(range(len(step)), key=lambda each: step[each][0])
            _, picks[index], back = step[back]
    return picks


def _step(
    before: list[tuple[Cost, Place, int]], places: Sequence[Place], weight: Mapping[Place, int], inversion: int
) -> list[tuple[Cost, Place, int]]:
    """For each place the cheapest way to it, and the index of the place before it on that way."""
    step: list[tuple[Cost, Place, int]] = []
    ranked = sorted(range(len(before)), key=lambda each: before[each][0])[:2]
    ahead, best = 0, -1
    for place in places:
        while ahead < len(before) and _edges(before[ahead][1]) < _edges(place):
            if best < 0 or before[ahead][0] < before[best][0]:
                best = ahead
            ahead += 1
        ways: list[tuple[Cost, int]] = [] if before else [((0, 0), -1)]
        if best >= 0:
            ways.append((before[best][0], best))
        for each in ranked:
            (cost, starts), other, _ = before[each]
            again = LOST if _edges(other) == _edges(place) else 0
            ways.append(((cost + inversion + again, starts), each))
        (cost, starts), way = min(ways)
        step.append(((cost + weight[place], starts + place.start), place, way))
    return step


def _edges(place: Place) -> tuple[int, int]:
    return place.start, place.end


def _apart(picks: list[Place | None], weights: Sequence[Mapping[Place, int]]) -> list[Place | None]:
    """Each place once: the plainer match keeps it, then the earlier in the list; the others move or are lost."""
    taken: set[tuple[int, int]] = set()
    apart: list[Place | None] = [None] * len(picks)
    placed = sorted((pick.rank, index) for index, pick in enumerate(picks) if pick)
    waiting = []
    for _, index in placed:
        pick = picks[index]
        assert pick is not None
        if _edges(pick) in taken:
            waiting.append(index)
        else:
            taken.add(_edges(pick))
            apart[index] = pick
    for index in waiting:
        free = [place for place in weights[index] if _edges(place) not in taken]
        if free:
            pick = min(free, key=lambda place: (weights[index][place], place.start))
            apart[index] = pick
            taken.add(_edges(pick))
    return apart
