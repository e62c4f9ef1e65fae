"""Keys: the words under which teachers put mentions, types, thoughts and errors, and the records made of them."""

from __future__ import annotations

from distill.folding import DASHES
from teachers.literals import Atom, Pairs, Series, Value

MENTION_KEYS = (
    "mention", "text", "entity", "span", "word", "value", "name", "entityname", "namedentity", "entitytext",
    "entityvalue", "mentiontext", "surface", "surfaceform", "实体", "提及", "名称", "文本",
)  # fmt: skip
TYPE_KEYS = (
    "type", "label", "category", "class", "entitytype", "entitygroup", "entitylabel", "entitycategory", "entityclass",
    "nertype", "nertag", "nerlabel", "tag", "types", "labels", "类型", "类别", "标签",
)  # fmt: skip
"""Keys of a record, folded: `Entity Type`, `entity_type` and `entityType` are one."""

LIST_KEYS = ("mentions", "entities", "texts", "spans", "words", "values", "names", "examples", *MENTION_KEYS)
COMMENT_KEYS = frozenset(
    {"reasoning", "reason", "reasons", "thought", "thoughts", "thinking", "explanation", "justification", "rationale",
     "analysis", "note", "notes", "comment", "comments", "context"}
)  # fmt: skip
ERROR_KEYS = frozenset({"error", "errors", "message", "detail", "details"})
BESIDE_ERRORS = frozenset({"code", "object", "type", "status", "statuscode", "param", "requestid", "success", "id"})
WRAPPERS = frozenset({"entities", "named_entities", "ner", "result", "results", "answer", "output", "data"})
PLACEHOLDERS = frozenset(
    {"none", "n/a", "null", "nil", "no entities", "no entity", "not applicable", "无", "没有"}
)


def says_none(text: str) -> bool:
    """Whether this stands for no mention: `none`, `(N/A)`, a dash."""
    bare = text.strip().casefold().strip("()[]<>\"'").removesuffix(".")
    return bare in PLACEHOLDERS or (bool(text.strip()) and not bare.strip(DASHES))


def folded(key: str) -> str:
    """A key of a record without what separates its words."""
    return "".join(char for char in key.casefold() if char.isalnum())


def is_error(value: Value) -> bool:
    """Whether this is a server's word of an error, or a list of nothing but such."""
    if isinstance(value, Series):
        return bool(value.items) and all(is_error(item) for item in value.items)
    keys = {folded(key) for key, _ in value.items if isinstance(key, str)} if isinstance(value, Pairs) else set()
    return bool(keys & ERROR_KEYS) and keys <= ERROR_KEYS | BESIDE_ERRORS


def record_of(pairs: Pairs) -> tuple[list[str], str | Series] | None:
    """The types and the mention or mentions of `{"text": ..., "type": ...}` or `{"type": ..., "mentions": [...]}`."""
    said = said_in(pairs)
    if said is None or len(pairs.items) > 8 or not _by_key(pairs).keys() & set(TYPE_KEYS):
        return None  # of more than text, type, two offsets, a score and a reason
    return types_in(pairs), said


def types_in(value: Value) -> list[str]:
    """The types of a record, or of `["person"]` and `{"type": "person"}` behind a mention."""
    if not isinstance(value, Pairs):
        return strings_of(value)
    values = _by_key(value)
    return next((found for key in TYPE_KEYS if key in values and (found := strings_of(values[key]))), [])


def said_in(pairs: Pairs) -> str | Series | None:
    """The mention or mentions of a record."""
    values = _by_key(pairs)
    alone = (value for key in MENTION_KEYS if isinstance(value := values.get(key), str))
    lists = (value for key in LIST_KEYS if isinstance(value := values.get(key), Series))
    return next(alone, next(lists, None))


def _by_key(pairs: Pairs) -> dict[str, Value]:
    """The values of a record by its folded keys."""
    return {folded(key): value for key, value in pairs.items if isinstance(key, str)}


def placed(pairs: Pairs) -> bool:
    """Whether this is a type with nothing but numbers: offsets of a mention that nobody wrote down."""
    values = _by_key(pairs)
    kinds = [value for key, value in values.items() if key in TYPE_KEYS]
    others = [value for key, value in values.items() if key not in TYPE_KEYS]
    return bool(kinds and others) and isinstance(kinds[0], str) and all(isinstance(each, Atom) for each in others)


def strings_of(value: Value) -> list[str]:
    """The strings of a value that is one, or a list of nothing else."""
    items = value.items if isinstance(value, Series) else [value]
    return [item for item in items if isinstance(item, str)] if all(isinstance(item, str) for item in items) else []
