"""Texts, labels and Documents for property tests: every script, and everything that breaks offsets."""

from __future__ import annotations

from hypothesis import strategies as st

from distill.document import Document, Entity, Span

HARD = [
    "Ada", "Lin's", "co-op", "U.N.", "3.5", "naïve", "nai\u0308ve", "👩‍👩‍👧", "🇳🇴", "«", "'", "“q”", "ﬁ", "İ", "\u0301",
    "你好", "東京タワー", "กรุงเทพ", "。", "，", "\u3000", "ＡＢ", "कि", "שלום", "مرحبا",
    "a\u200bb", "\ufeffx", "10\u00a0km", "x\u2028y", "x\u0085y", "\x0b", "#", "# id = 7", "-DOCSTART-", "O", "B-LOC",
]  # fmt: skip
SPACES = ["", " ", " ", " ", "  ", "\n", "\t", "\r\n", "\u00a0"]
LABELS = ["PER", "ORG", "LOC", "MISC", "work-of-art", "art work", "人物"]

pieces = st.one_of(st.sampled_from(HARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))
texts = st.lists(st.tuples(pieces, st.sampled_from(SPACES)), max_size=8).map(
    lambda parts: "".join(piece + space for piece, space in parts)
)
labels = st.sampled_from(LABELS)
scores = st.none() | st.floats(0, 1)


@st.composite
def entities(draw: st.DrawFn, text: str) -> tuple[Entity, ...]:
    """Entities anywhere in the text: nested, crossing, doubled, discontinuous."""
    if not text:
        return ()
    found = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        fragments: tuple[Span, ...] = ()
        if end - start > 2 and draw(st.integers(0, 4)) == 0:
            cut = draw(st.integers(start + 1, end - 2))
            fragments = (Span(start, cut), Span(cut + 1, end))
        found.append(Entity(start, end, draw(labels), draw(scores), fragments))
    return tuple(found)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A Document whose entities lie anywhere."""
    text = draw(texts)
    return Document(draw(st.text(min_size=1, max_size=5)), text, draw(entities(text)))


@st.composite
def data_sets(draw: st.DrawFn) -> list[Document]:
    """Documents with ids of their own."""
    found = draw(st.lists(documents(), max_size=4))
    return [Document(f"d{number}", each.text, each.entities) for number, each in enumerate(found)]
