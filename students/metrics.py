"""What the service counts of itself, in Prometheus's text format. It never sees a text."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from students.markup import plain

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_EDGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_MEMORY = Path("/proc/self/statm")


class Metrics:
    """Counters since the start. Requests are counted by path, method and status; seconds are those of `POST /tag`."""

    def __init__(self, info: Mapping[str, str]) -> None:
        self._info = dict(info)
        self._lock = threading.Lock()
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.entities: Counter[str] = Counter()
        self.texts = self.characters = self.faults = 0
        self._seconds = 0.0
        self._buckets = [0] * (len(_EDGES) + 1)

    def request(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            self.requests[path, method, status] += 1
            if (path, method) == ("/tag", "POST"):
                self._seconds += seconds
                self._buckets[bisect_left(_EDGES, seconds)] += 1

    def answered(self, texts: Iterable[str], labels: Iterable[str]) -> None:
        """Count what was tagged."""
        with self._lock:
            for text in texts:
                self.texts += 1
                self.characters += len(text)
            for label in labels:
                self.entities[label] += 1

    def fault(self) -> None:
        """Count a fault of ours."""
        with self._lock:
            self.faults += 1

    def rendered(self, inside: int) -> str:
        """The page that Prometheus reads; `inside` is the number of requests in hand."""
        with self._lock:
            return "".join(self._lines(inside))

    def _lines(self, inside: int) -> Iterator[str]:
        yield from _family("ner_info", "gauge", "the bundle that answers", [(self._info, 1)])
        rows = [
            ({"path": path, "method": method, "status": str(status)}, count)
            for (path, method, status), count in sorted(self.requests.items())
        ]
        yield from _family("ner_requests_total", "counter", "requests answered", rows)
        yield from _family("ner_texts_total", "counter", "texts tagged", [({}, self.texts)])
        yield from _family("ner_characters_total", "counter", "characters tagged", [({}, self.characters)])
        found = [({"label": label}, count) for label, count in sorted(self.entities.items())]
        yield from _family("ner_entities_total", "counter", "entities found", found)
        yield from _family("ner_faults_total", "counter", "faults of the service", [({}, self.faults)])
        yield from _family("ner_requests_in_hand", "gauge", "requests to tag that wait or are at work", [({}, inside)])
        yield from self._histogram()
        memory = _resident()
        if memory is not None:
            yield from _family("process_resident_memory_bytes", "gauge", "resident memory", [({}, memory)])

    def _histogram(self) -> Iterator[str]:
        name, so_far = "ner_tag_seconds", 0
        yield f"# HELP {name} seconds from a request to tag to its answer\n# TYPE {name} histogram\n"
        for edge, count in zip((*map(str, _EDGES), "+Inf"), self._buckets, strict=True):
            so_far += count
            yield f'{name}_bucket{{le="{edge}"}} {so_far}\n'
        yield f"{name}_sum {self._seconds:.6f}\n{name}_count {so_far}\n"


def _family(name: str, kind: str, help: str, rows: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {name} {help}\n# TYPE {name} {kind}\n"
    for labels, value in rows:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{inner}}} {value}\n" if inner else f"{name} {value}\n"


def _escaped(text: str) -> str:
    return plain(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident() -> int | None:
    try:
        return int(_MEMORY.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):  # not on macOS and Windows
        return None
