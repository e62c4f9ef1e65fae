"""Words are BERT's, with exact offsets, in every script."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from distill.words import blocks, is_ideograph, is_spaceless, words

any_text = st.one_of(texts, st.text(st.characters()))


@given(any_text)
def test_words_cover_everything_but_white_space_in_order(text: str) -> None:
    spans = words(text)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    assert all(start < end and not any(map(str.isspace, text[start:end])) for start, end in spans)
    assert "".join(text[start:end] for start, end in spans) == "".join(text.split())


@given(any_text, st.integers(1, 5))
def test_a_long_texts_blocks_have_its_words_and_lose_nothing(text: str, least: int) -> None:
    found = list(blocks(text, least))
    assert "".join(text[start:end] for start, end in found) == text
    moved = [(b.start + w.start, b.start + w.end) for b in found for w in words(text[b.start : b.end])]
    assert moved == words(text)


@given(any_text)
def test_no_word_begins_between_a_letter_and_its_accent(text: str) -> None:
    for start, _ in words(text):
        assert start == 0 or text[start - 1].isspace() or unicodedata.category(text[start]) not in ("Mn", "Me", "Mc")


@given(st.text(st.sampled_from("abzAZ09 .,'-()[]é你好東\n#$\u00a0"), max_size=20))
def test_words_are_those_of_berts_pre_tokenizer(text: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    normalizer = tokenizers.normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    pieces = tokenizers.pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normalizer.normalize_str(text))
    assert [text[start:end] for start, end in words(text)] == [piece for piece, _ in pieces]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mira's co-op (U.N.)", ["Mira", "'", "s", "co", "-", "op", "(", "U", ".", "N", ".", ")"]),
        ("nai\u0308ve a\u200bb", ["nai\u0308ve", "a\u200bb"]),
        ("他在Oslo", ["他", "在", "Oslo"]),
        ("go🎉now", ["go", "🎉", "now"]),
        ("👩‍👩‍👧", ["👩‍👩‍👧"]),
        ("to🇳🇴🇩🇪🇫.", ["to", "🇳🇴", "🇩🇪", "🇫", "."]),
        ("👍🏽👩🏽‍⚕️ok", ["👍🏽", "👩🏽‍⚕️", "ok"]),
        ("🏳️‍🌈🏴󠁧󠁢󠁥󠁮󠁧󠁿🙂‍↔️", ["🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🙂‍↔️"]),
        ("1️⃣2️⃣ #️⃣#x 12", ["1️⃣", "2️⃣", "#️⃣", "#", "x", "12"]),
        ("♥️\u0301 →a→b ①\u200dカ", ["♥️\u0301", "→a→b", "①\u200dカ"]),
        ("10\u00a0km\u2028x", ["10", "km", "x"]),
        ("שלום, עולם", ["שלום", ",", "עולם"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_words_of_known_texts(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in words(text)] == expected


@given(st.text(st.characters(max_codepoint=0x2FFF) | st.characters(min_codepoint=0x3000), max_size=12), any_text)
def test_words_of_a_chunk_do_not_depend_on_the_text_around_it(left: str, right: str) -> None:
    both = words(f"{left} {right}")
    shifted = [(start + len(left) + 1, end + len(left) + 1) for start, end in words(right)]
    assert both == [*words(left), *shifted]


def test_scripts_without_spaces() -> None:
    assert all(map(is_spaceless, "你かカกｶ𠀀"))
    assert not any(map(is_spaceless, "aé한א، 。"))
    assert is_ideograph("你")
    assert not any(map(is_ideograph, "かกa"))


def test_a_long_text_takes_linear_time() -> None:
    text = "Mira, 你好 (Oslo)... " * 20_000
    assert len(words(text)) == 10 * 20_000
