"""The bundle's README: what the student is, how it was checked, and how to use it where there is no network."""

from __future__ import annotations

import re
from textwrap import fill
from typing import Any

from students.bundle import Manifest

_CASED = (
    "; to an id comes 1,048,576 times its word's case (0 lower, 1 initial, 2 capitals, 3 mixed), else all is lower case"
)
_MARKED = "; 4,194,304 comes to the id of each word's first piece, else there are no early exits"


def card(manifest: Manifest) -> str:
    """The page as Markdown, made of the manifest's values alone."""
    scores, verified, tolerances = manifest.scores, manifest.verified, manifest.tolerances
    low, high = scores["strict_f1_interval"]
    marks = (_CASED if manifest.case else "") + (_MARKED if manifest.exits else "")
    exits = _exits(manifest) if manifest.exits else ""
    return f"""# A named entity tagger for a room with no network

It finds {_labels(manifest)} in text of any length. Everything it needs lies in this folder; `manifest.json`
holds the sha256 of each file, and nothing is loaded before they agree.

{_install(verified.get("wheels"))}    ner-distill selftest .                        # checksums, replayed texts, speed
    ner-distill predict . --text "..."            # or files, or - for a stream
    python -c "from students.runtime import Student; print(Student.load('.').tag(['...']))"

## Scores

Strict F1 {scores["strict_f1"]:.4f} (95 % interval {low:.4f} to {high:.4f}) on {scores["documents"]} documents
({_names(manifest.data.get("verified_on", []))}); PyTorch gets {scores["strict_f1_pytorch"]:.4f} there.
{scores["words_with_other_tag"]} of {scores["words"]} words have another tag than in PyTorch. {_elsewhere(manifest)}

| label | precision | recall | F1 | in the data |
|---|---|---|---|---|
{_rows(manifest)}

{_calibration(manifest)}

## What it is

| | |
|---|---|
| precision | {manifest.precision}{", pairs of products fit 16 bits" if manifest.reduce_range else ""} |
| windows | {manifest.max_length} tokens, neighbours share {manifest.stride}{_by_sentence(manifest)}; nothing is cut |
| graph | ONNX opset {manifest.opset}, input `input_ids`, unpadded rows of one length, output `logits`{marks} |
{exits}| checked on | {verified["instructions"]}, onnxruntime {verified["onnxruntime"]} |
| fp32 logits | at most {tolerances["logits_found"]:.1e} from PyTorch's ({tolerances["logits"]:g} allowed) |
| licence | {_plain(manifest.data.get("licence") or "not stated")} |

## Data

| use | file | sha256 |
|---|---|---|
{_data(manifest.data)}
{_notes(manifest.data.get("notes", []))}
`selftest.jsonl` holds texts of the documents it was checked on: where those are confidential, so is this folder.

## Limits

The entities are flat: none lies in another. All figures hold for the data
above and no other.
"""


def _plain(text: str) -> str:
    """Text that stays in its line and in its cell, and is no mark-up."""
    return re.sub(r"[\\|*`<]", r"\\\g<0>", " ".join(text.split()))


def _labels(manifest: Manifest) -> str:
    return ", ".join(map(_plain, manifest.labels))


def _names(rows: list[dict[str, Any]]) -> str:
    return ", ".join(_plain(str(row["name"])) for row in rows)


def _elsewhere(manifest: Manifest) -> str:
    """What the scores are worth for other documents; a share of gold that was kept for dev is not learnt."""
    data = manifest.data
    checked = {row["sha256"] for row in data.get("verified_on", []) if "share" not in row}
    learnt = {row["sha256"] for use in ("distilled", "gold") for row in data.get("trained_on", {}).get(use, [])}
    if checked & learnt:
        return "The student\nlearnt from these documents, so expect less elsewhere."
    return "The epoch may have been\nchosen on these documents, so expect a little less elsewhere."


def _calibration(manifest: Manifest) -> str:
    found, temperature = manifest.scores["calibration"], manifest.temperature
    said = (
        f"An entity's score is the probability that the student is right. Temperature {temperature:g}: the scores' "
        f"mean distance from the truth (ECE, ten bins) is {found['ece_before']:.3f} without it and "
        f"{found['ece_after']:.3f} with it, over {found['entities']} entities, each half of the "
        "documents at the temperature of the other half."
        if temperature != 1 else
        f"An entity's score is the student's own probability, with an ECE of {found['ece_before']:.3f} over "
        f"{found['entities']} entities; no temperature was fitted."
    )  # fmt: skip
    limits = ", ".join(f"{_plain(label)} {limit:g}" for label, limit in sorted(manifest.thresholds.items()))
    shown = f"\n\nReported from these scores on: {limits}. The figures above are without these thresholds."
    return fill(said, 118) + (shown if limits else "")


def _install(wheels: dict[str, str] | None) -> str:
    if not wheels:
        return ""
    said = f"for {wheels['platform']}, Python {wheels['python']}"
    return f"    sh install.sh                                 # into a fresh virtual environment; {said}\n"


def _rows(manifest: Manifest) -> str:
    """Every label's figures; a label that nobody met where it was checked has none."""
    rows, met = [], manifest.scores["labels"]
    for label in sorted(manifest.labels):
        row = met.get(label)
        figures = [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")] if row else ["-", "-", "-"]
        rows.append(f"| {_plain(label)} | {' | '.join(figures)} | {row['gold'] if row else 0} |")
    return "\n".join(rows)


def _by_sentence(manifest: Manifest) -> str:
    above = manifest.sentences_above
    return f", texts of more than {above} pieces sentence by sentence" if above else ""


def _exits(manifest: Manifest) -> str:
    sure = ", ".join(f"{limit * 100:g} % after layer {layer}" for layer, limit in manifest.exits.items())
    read, layers = manifest.scores["layers_read"], manifest.scores["layers"]
    said = f"words of which the model is so sure: {sure}; a token goes through {read:.2f} of {layers} layers on average"
    return f"| early exits | {said} |\n"


def _notes(notes: list[str]) -> str:
    """What the training said of itself, a line each."""
    return "".join(["\nThe training says:\n\n", *(f"- {_plain(note)}\n" for note in notes)]) if notes else ""


def _data(data: Any) -> str:
    uses = [*data.get("trained_on", {}).items(), ("checked on", data.get("verified_on", []))]
    return "\n".join(f"| {use} | {_names([row])} | `{row['sha256'][:16]}` |" for use, rows in uses for row in rows)
