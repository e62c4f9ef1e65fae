"""Beliefs: the shares of tags that a student learns in the place of a teacher's labels, and of none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from curricula.confusion import Confusion, measured
from distill.document import Document
from students.committee import Guides, Opinion, opinion, told
from students.decode import Floats, TagSet
from students.encode import Encoded, Encoder
from students.setting import Setting
from students.targets import word_tags
from students.team import Team


class Beliefs:
    """What is believed of the words of the distilled and then of the unlabelled Documents, and what there is to tell.

    `shares` has an array of shape (words, tags) for each Document, or None for one whose labels are learnt as they are.
    """

    def __init__(self, setting: Setting, guides: Guides, encoder: Encoder, tags: TagSet, device: str) -> None:
        material, hardware = setting.material, setting.hardware
        self.shares: list[Floats | None] = [None] * len(material.distilled)
        self.notes: list[str] = []
        team = Team(setting.shares, hardware.threads // setting.shares)
        size = setting.recipe.dev_batch_size
        ask = partial(opinion, device=device, batch_size=size, bf16=hardware.bf16, team=team)
        with team:
            if guides.judge is not None:
                texts = _encoded(material.distilled, encoder)
                self._denoise(setting, texts, ask([guides.judge], texts), tags)
            if guides.members:
                found = ask(guides.members, _encoded(material.unlabelled, encoder))
                self.notes.append(told(found, len(guides.members)))
                self.shares += found.beliefs

    def _denoise(self, setting: Setting, texts: Sequence[Encoded], prior: Opinion, tags: TagSet) -> None:
        """Measure each file's teacher, and believe of its Documents what its labels and the judge say together."""
        start = 0
        for path, size in zip(setting.options.distilled, setting.material.parts, strict=True):
            part = slice(start, start + size)
            documents, start = setting.material.distilled[part], start + size
            real = [text.first >= 0 for text in texts[part]]
            if not any(known.any() for known in real):
                continue
            pairs = list(zip(documents, texts[part], real, strict=True))
            said = [word_tags(document.entities, text, tags).tags[known] for document, text, known in pairs]
            before = [shares[known] for shares, known in zip(prior.beliefs[part], real, strict=True)]
            found = measured(np.concatenate(before), np.concatenate(said))
            self.notes.append(_measure(path.name, found, tags))
            cuts = np.cumsum([len(each) for each in said])[:-1]
            for at, (own, known) in enumerate(zip(np.split(found.posterior, cuts), real, strict=True), part.start):
                shares = np.array(prior.beliefs[at])
                shares[known] = own
                self.shares[at] = shares


def _encoded(documents: Sequence[Document], encoder: Encoder) -> list[Encoded]:
    return [encoder.encode(document.text) for document in documents]


def _measure(name: str, found: Confusion, tags: TagSet) -> str:
    worst = [f"{label} as {said or 'nothing'} {share:.2f}" for label, said, share in found.worst(tags.labels)]
    return f"{name}, as measured against gold's judge: {', '.join(worst) if worst else 'no frequent confusion'}"
