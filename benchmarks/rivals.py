"""What a user would train instead on the same gold sentences: a CRF with the usual features, and spaCy's `ner`.

Neither is among the project's extras: pip install sklearn-crfsuite spacy
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from distill.document import Document, Entity
from distill.tags import spans_to_tags, tags_to_spans
from distill.words import words

Tag = Callable[[Sequence[Document]], list[Document]]


def crf(gold: Sequence[Document]) -> Tag:
    """sklearn-crfsuite with the features of its tutorial (forms, affixes, shapes, neighbours), no part of speech."""
    import sklearn_crfsuite  # type: ignore[import-not-found]

    model = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=100, all_possible_transitions=True)
    split = [_words(document) for document in gold]
    model.fit([_features(document, spans) for document, spans in zip(gold, split, strict=True)],
              [_tags(document, spans) for document, spans in zip(gold, split, strict=True)])

    def tag(documents: Sequence[Document]) -> list[Document]:
        spans = [_words(document) for document in documents]
        found = model.predict([_features(document, own) for document, own in zip(documents, spans, strict=True)])
        return [
            each.with_entities(_entities(own, tags)) for each, own, tags in zip(documents, spans, found, strict=True)
        ]

    return tag


def spacy_ner(gold: Sequence[Document], epochs: int = 30) -> Tag:
    """spaCy's `ner` over its default tok2vec, no pretrained vectors, its quickstart's dropout and batches."""
    import spacy  # type: ignore[import-not-found]
    from spacy.training import Example  # type: ignore[import-not-found]
    from spacy.util import compounding, fix_random_seed, minibatch  # type: ignore[import-not-found]

    fix_random_seed(1)
    chance, language = random.Random(1), spacy.blank("en")
    language.add_pipe("ner")
    examples = []
    for document in gold:
        made = language.make_doc(document.text)
        spans = [(entity.start, entity.end, entity.label) for entity in document.entities]
        examples.append(Example.from_dict(made, {"entities": spans}))
    optimizer = language.initialize(lambda: examples)
    for _ in range(epochs):
        chance.shuffle(examples)
        for batch in minibatch(examples, compounding(4.0, 32.0, 1.001)):
            language.update(batch, drop=0.2, sgd=optimizer)

    def tag(documents: Sequence[Document]) -> list[Document]:
        found = language.pipe([document.text for document in documents], batch_size=128)
        return [
            document.with_entities(Entity(e.start_char, e.end_char, e.label_) for e in made.ents)
            for document, made in zip(documents, found, strict=True)
        ]

    return tag


def _words(document: Document) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in words(document.text)]


def _tags(document: Document, spans: list[tuple[int, int]]) -> list[str]:
    tokens = [
        (inside[0], inside[-1] + 1, entity.label)
        for entity in document.entities
        if (inside := [i for i, (start, end) in enumerate(spans) if start < entity.end and end > entity.start])
    ]
    return spans_to_tags(tokens, len(spans))


def _entities(spans: list[tuple[int, int]], tags: Sequence[str]) -> list[Entity]:
    return [Entity(spans[start][0], spans[end - 1][1], label) for start, end, label in tags_to_spans(tags)]


def _features(document: Document, spans: list[tuple[int, int]]) -> list[dict[str, Any]]:
    forms = [document.text[start:end] for start, end in spans]
    own = [_form(form) for form in forms]
    rows = []
    for i, features in enumerate(own):
        row: dict[str, Any] = {"bias": 1.0, **features, "suffix3": forms[i][-3:], "suffix2": forms[i][-2:],
                               "prefix3": forms[i][:3]}
        for step in (-2, -1, 1, 2):
            if 0 <= i + step < len(own):
                row.update({f"{step}:{name}": value for name, value in own[i + step].items()})
        row["first"], row["last"] = i == 0, i == len(own) - 1
        rows.append(row)
    return rows


def _form(form: str) -> dict[str, Any]:
    shape = "".join("X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in form[:12])
    about = {"upper": form.isupper(), "title": form.istitle(), "digit": form.isdigit()}
    return {"lower": form.lower(), "shape": shape} | about
