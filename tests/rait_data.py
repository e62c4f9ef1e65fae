"""Hand-made conversations for tests of tuning: every template, a few made-up texts."""

from __future__ import annotations

from pathlib import Path

from distill.jsonl import dump_line
from teachers.conversations import Example, Turn, Wording, lesson, lesson_at_once
from teachers.dialogue import NO_LOSS

SHOWN = (Example("acme left lima", (("acme", "company"), ("lima", "city"))), Example("the bank", ()))
DEFINITION = "a place where many people live, with a name of its own"


def templates() -> dict[str, list[Turn]]:
    """One conversation for every template there is."""
    text, answers = "globex met in oslo", {"company": ["globex"], "city": ["oslo"], "person": []}
    both = [("globex", "company"), ("oslo", "city")]
    chinese = {"公司": ["环球公司"], "人物": []}
    return {
        "vanilla": lesson(text, {"city": ["oslo"]}, Wording()),
        "several questions": lesson(text, answers, Wording()),
        "rait": lesson(text, {"company": ["globex"]}, Wording(), SHOWN),
        "uniner": lesson(text, {"person": []}, Wording(style="uniner")),
        "at once": lesson_at_once(text, both, ["company", "city"], Wording()),
        "at once, free types, examples": lesson_at_once(text, both, [], Wording(), SHOWN),
        "definition": lesson(text, {DEFINITION: ["oslo"]}, Wording()),
        "data set": lesson(text, {"city": ["oslo"]}, Wording(dataset="Tiny")),
        "data set, at once": lesson_at_once(text, both, ["city"], Wording(dataset="Tiny")),
        "chinese": lesson("环球公司在奥斯陆。", chinese, Wording("zh")),
        "chinese, at once": lesson_at_once("环球公司在奥斯陆。", [("环球公司", "公司")], [], Wording("zh"), SHOWN),
    }


def write_conversations(path: Path, count: int, seed: int = 0) -> Path:
    """Conversations about `count` texts, a question about one type each."""
    cities, firms = ("oslo", "lima", "quito", "turin"), ("acme", "globex", "hooli")
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            city, firm = cities[(number + seed) % 4], firms[(number + seed) % 3]
            answers = {"city": [city]} if number % 2 else {"company": [firm]}
            turns = lesson(f"{firm} {number} met in {city}", answers, Wording())
            out.write(dump_line({"id": f"c{seed}-{number}", "conversations": turns}) + "\n")
    return path


def learnt_of(labels: list[int]) -> list[list[int]]:
    """The learnt ids, stretch by stretch."""
    found: list[list[int]] = []
    for before, label in zip([NO_LOSS, *labels], labels, strict=False):
        if label != NO_LOSS:
            if before == NO_LOSS:
                found.append([])
            found[-1].append(label)
    return found
