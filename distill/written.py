"""What a writer wrote, and what the format could not carry."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

# Why something is missing or other in the file, in words a user reads. Entities first, then documents.
ENTITY_LOSSES = {
    "overlapping": "entities overlap a longer one",
    "discontinuous": "entities are discontinuous",
    "inside a word": "entities begin or end inside a word",
    "label": "entities have a label that a tag cannot hold",
    "left out": "entities stood in documents that were left out",
    "unlabelled format": "entities: this format holds text only",
}
DOCUMENT_CHANGES = {
    "empty": "documents cannot be told from an empty line and were left out",
    "respaced": "documents read back with other white space",
    "trimmed": "entities lost white space at an edge",
    "score": "entities lost their score",
    "meta": "documents lost their meta",
    "id": "documents lost their id",
}


@dataclass
class Written:
    """How many Documents and entities stand in the file, and what it could not carry, by reason."""

    documents: int = 0
    entities: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    @property
    def lost_entities(self) -> int:
        return sum(self.lost[why] for why in ENTITY_LOSSES)

    @property
    def complete(self) -> bool:
        """Whether every entity and every Document is in the file."""
        return not self.lost_entities and not self.lost["empty"]

    def losses(self) -> list[str]:
        """One line a reason, the gravest first."""
        reasons = ENTITY_LOSSES | DOCUMENT_CHANGES
        return [f"{self.lost[why]} {words}" for why, words in reasons.items() if self.lost[why]]

    def __str__(self) -> str:
        said = f"{self.documents} documents, {self.entities} entities"
        return f"{said}; not carried: {', '.join(self.losses())}" if self.losses() else said

    def to_json(self) -> dict[str, object]:
        return {"documents": self.documents, "entities": self.entities, "lost": dict(self.lost)}
