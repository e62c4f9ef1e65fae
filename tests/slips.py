"""Slips that teachers make, one function each: what a careful answer becomes in a careless one."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from distill.alignment import Mention

_ACCENTED = str.maketrans("aeionucACEISOUz", "äéîöñùçÀÇÉÎŞÖÜž")


@dataclass(frozen=True)
class Said:
    """An answer: its text and mentions, and for each mention the index of the true one (None: said without cause)."""

    text: str
    mentions: tuple[Mention, ...]
    origin: tuple[int | None, ...]

    def each(self, change: Callable[[str], str]) -> Said:
        return replace(self, mentions=tuple(Mention(change(m.text), m.label) for m in self.mentions))

    def accented(self) -> Said:
        """The same sentence in letters with accents, all composed, so that offsets stay."""
        return replace(self.each(lambda text: text.translate(_ACCENTED)), text=self.text.translate(_ACCENTED))


def _absent(slipped: str, name: str, text: str) -> str:
    """The slipped name, unless the text holds just that: then it were no slip."""
    one, other, flat = (unicodedata.normalize("NFKC", each).casefold() for each in (slipped, name, text))
    there = "".join(one.split()).replace("’", "'") in "".join(flat.split())
    quoted = rf"['\"“”’`]\s*{re.escape(other)}\s*['\"“”’`]"
    return name if there or (one[1:-1] == other and re.search(quoted, flat)) else slipped


Slip = Callable[[Said, Random], Said]


def case(said: Said, random: Random) -> Said:
    return said.each(lambda text: random.choice((text.upper(), text.lower(), text.swapcase(), text.title())))


def quotes(said: Said, random: Random) -> Said:
    return said.each(
        lambda text: text.translate(
            {39: random.choice("‘’`"), 34: random.choice("“”«"), 45: random.choice("‐–—−")}
        )
    )


def decomposed(said: Said, random: Random) -> Said:
    return said.accented().each(lambda text: unicodedata.normalize("NFD", text))


def decomposed_text(said: Said, random: Random) -> Said:
    """The text's letters are decomposed and the mentions' composed; true spans move with the text."""
    return said.accented()


def compatible(said: Said, random: Random) -> Said:
    """Full-width letters and ligatures."""
    wide = {code: code + 0xFEE0 for code in range(33, 127)}
    return said.each(lambda text: random.choice((text.translate(wide), text.replace("fi", "ﬁ").replace("ff", "ﬀ"))))


def accents(said: Said, random: Random) -> Said:
    def bare(text: str) -> str:
        return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))

    return said.accented().each(bare)


def zero_width(said: Said, random: Random) -> Said:
    def insert(text: str) -> str:
        at = random.randrange(len(text) + 1)
        return text[:at] + random.choice("\u200b\u200c\u00ad\ufeff\u2060") + text[at:]

    return said.each(insert)


def white_space(said: Said, random: Random) -> Said:
    def change(text: str) -> str:
        inner = re.sub(" ", lambda _: random.choice(("  ", "\u00a0", "\n", "\t ")), text)
        return random.choice(("", " ", "\n")) + inner + random.choice(("", " "))

    return said.each(change)


def joined(said: Said, random: Random) -> Said:
    return said.each(lambda text: re.sub(r"\s*([^\w\s])\s*", r"\1", text))


def split(said: Said, random: Random) -> Said:
    return said.each(lambda text: " ".join(re.sub(r"([^\w\s])", r" \1 ", text).split()))


def wrapped(said: Said, random: Random) -> Said:
    shapes = ('"%s"', "'%s'", "“%s”", "(%s)", "%s,", "%s;", "**%s**", "`%s`", "%s.", "[%s]")
    return said.each(lambda text: _absent(random.choice(shapes) % text, text, said.text))


def article(said: Said, random: Random) -> Said:
    return said.each(lambda text: _absent(random.choice(("the ", "The ", "a ")) + text, text, said.text))


def possessive(said: Said, random: Random) -> Said:
    return said.each(lambda text: _absent(text + random.choice(("'s", " 's", "’s")), text, said.text))


def final_s(said: Said, random: Random) -> Said:
    return said.each(lambda text: text[:-1] if text[-1] == "s" and len(text) > 3 and text[-2].isalpha() else text)


def escaped(said: Said, random: Random) -> Said:
    def change(text: str) -> str:
        once = text.replace("&", "&amp;").replace("'", random.choice(("\\'", "&#39;"))).replace('"', '\\"')
        return "".join(char if ord(char) < 128 else f"\\u{ord(char):04x}" for char in once)

    return said.accented().each(change)


def dots(said: Said, random: Random) -> Said:
    """Full stops in short words of capitals, `R.B.A.`."""

    def change(text: str) -> str:
        dotted = re.sub(r"\b[A-Z]{2,3}\b", lambda word: "".join(f"{letter}." for letter in word[0]), text)
        return dotted if dotted == text else _absent(dotted, text, said.text)

    return said.each(change)


def apostrophe(said: Said, random: Random) -> Said:
    """The apostrophe left off, `Macys` and `OBrien`."""
    return said.each(lambda text: re.sub(r"(?<=\w)\s?['’](?=s\b)|(?<=\w)['’](?=\w)", "", text))


def explained(said: Said, random: Random) -> Said:
    """What the name is behind it, or its number in the list before it."""
    shapes = ("%s (a name)", "%s: a name", "%s - a name", "%s – some name", "1. %s", "2) %s", "- %s: a name")

    def change(text: str) -> str:
        shaped = random.choice(shapes) % text
        # Where the text counts the name itself, or it is no more than a letter or two, nothing tells the two apart.
        counted = re.search(rf"\d\W*{re.escape(text)}", said.text) and shaped[0].isdigit()
        return text if counted or len(text) < 3 else shaped

    return said.each(change)


def typo(said: Said, random: Random) -> Said:
    """One letter dropped, doubled, replaced or exchanged with the next in a mention of at least six letters."""

    def change(text: str) -> str:
        spots = [at for at in range(1, len(text) - 1) if text[at].isalpha() and text[at + 1].isalpha()]
        if sum(char.isalpha() for char in text) < 6 or not spots:
            return text
        at = random.choice(spots)
        letter = random.choice("abcdefghijklmnoprstuvwyz")
        middle = random.choice(("", text[at] * 2, letter, None))
        if middle is None:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        return text[:at] + middle + text[at + 1 :]

    return said.each(change)


def repeats(said: Said, random: Random) -> Said:
    mentions, origin = list(said.mentions), list(said.origin)
    for _ in range(random.randint(1, 3)):
        if mentions:
            at = random.randrange(len(mentions))
            beside = random.choice((at + 1, len(mentions)))
            mentions.insert(beside, mentions[at])
            origin.insert(beside, None)
    return replace(said, mentions=tuple(mentions), origin=tuple(origin))


def reordered(said: Said, random: Random) -> Said:
    order = list(range(len(said.mentions)))
    random.shuffle(order)
    mentions = tuple(said.mentions[at] for at in order)
    return replace(said, mentions=mentions, origin=tuple(said.origin[at] for at in order))


def two_at_once(said: Said, random: Random) -> Said:
    first, second = random.sample((case, quotes, white_space, joined, split, wrapped, reordered), 2)
    return second(first(said, random), random)


MENTION_SLIPS: dict[str, Slip] = {
    "as it is": lambda said, random: said,
    "case": case, "quotes": quotes, "NFD": decomposed, "NFD text": decomposed_text, "NFKC": compatible,
    "accents": accents, "zero width": zero_width, "white space": white_space, "joined": joined, "split": split,
    "wrapped": wrapped, "article": article, "possessive": possessive, "final s": final_s, "escaped": escaped,
    "dots": dots, "apostrophe": apostrophe, "explained": explained,
    "repeats": repeats, "reordered": reordered, "two at once": two_at_once, "typo (fuzzy)": typo,
}  # fmt: skip


def as_dictionary(mentions: tuple[Mention, ...]) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for mention in mentions:
        table.setdefault(mention.label, []).append(mention.text)
    return table


def truncated(answer: str, random: Random) -> str:
    start = answer.rfind("{")
    return answer[: random.randrange(start + 1, len(answer))]


def fenced(answer: str, random: Random) -> str:
    start = answer.rfind("{")
    shapes = ("```json\n%s\n```", "```\n%s\n```", "```python\nresult = %s\n```\nLet me know!", "~~~\n%s\n~~~")
    return answer[:start] + random.choice(shapes) % answer[start:]


def literal(answer: str, random: Random) -> str:
    """A Python dictionary: single quotes, None and tuples."""
    start = answer.rfind("{")
    table: dict[str, object] = json.loads(answer[start:])
    if random.random() < 0.5:
        table = {label: tuple(mentions) for label, mentions in table.items()}  # type: ignore[arg-type]
    for label in ("DATE", "MONEY"):
        if random.random() < 0.5:
            table[label] = random.choice((None, [], ()))
    return answer[:start] + repr(table)


def prose(answer: str, random: Random) -> str:
    return answer + random.choice(("\n\nI hope this helps!", "\nNote: dates {like 1996} were left out.", "  \n"))


ANSWER_SLIPS: dict[str, Callable[[str, Random], str]] = {
    "truncation": truncated, "fences": fenced, "Python literals": literal, "prose": prose,
}  # fmt: skip
