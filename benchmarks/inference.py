"""Words per second, F1, cold start and size: our runtime beside transformers in PyTorch, same weights, same sentences.

One run, in turns, the best of `--repeat` each. `fp32` and `int8` are bundles made from the run by `ner-distill export`.
`--gold` trains a CRF and spaCy's `ner` on the same gold sentences and sets them beside (see `rivals.py`).

    python benchmarks/inference.py --run RUN --bundle INT8 --bundle FP32 --texts test.jsonl --gold gold.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rivals import crf, spacy_ner

from distill.cores import cores, instruction_set
from distill.document import Document, Entity
from distill.jsonl import read_jsonl
from distill.scores import strict, total
from students.bundle import read_manifest, size_of
from students.model import load_student, student_folder
from students.predictor import predict_documents
from students.runtime import ENGINE, Student

Tag = Callable[[Sequence[Document]], list[Document]]


@dataclass
class Contender:
    """A way to tag Documents, its best time a word (by the clock and of the processor), and its share of the texts."""

    name: str
    tag: Tag
    share: float = 1.0
    seconds: float = float("inf")
    processor: float = float("inf")
    f1: float = 0.0


def pipeline(run: Path, batch: int) -> Tag:
    """`transformers.pipeline("token-classification")` as its documentation has it."""
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer
    from transformers import pipeline as make

    folder = student_folder(run)
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    call: Any = make(
        "token-classification", model=model, tokenizer=tokenizer, device="cpu", aggregation_strategy="first"
    )

    def tag(documents: Sequence[Document]) -> list[Document]:
        found = call([document.text for document in documents], batch_size=batch)
        return [
            document.with_entities(Entity(e["start"], e["end"], e["entity_group"]) for e in entities)
            for document, entities in zip(documents, found, strict=True)
        ]

    return tag


def in_torch(run: Path) -> Tag:
    """Plain PyTorch over batches of like length."""
    student = load_student(run)
    return lambda documents: predict_documents(student, documents, 32)


def in_bundle(bundle: Path, one_by_one: bool) -> Tag:
    """Our runtime, many texts at once or each alone."""
    student = Student.load(bundle)
    if one_by_one:
        return lambda documents: [found for each in documents for found, _ in student.read([each])]
    return lambda documents: [found for found, _ in student.read(documents)]


def contenders(run: Path, bundles: Sequence[Path]) -> list[Contender]:
    """Everyone, the slow ones on a share of the Documents."""
    if load_student(run).encoder.case:
        print("this student sees capitals, which transformers.pipeline does not show it: F1 differs", file=sys.stderr)
    found = [
        Contender("transformers.pipeline, batch 1", pipeline(run, 1), 0.25),
        Contender("transformers.pipeline, batch 8", pipeline(run, 8), 0.5),
        Contender("transformers.pipeline, batch 32", pipeline(run, 32)),
        Contender("PyTorch, sorted batches of 32", in_torch(run)),
    ]
    for bundle in bundles:
        precision = read_manifest(bundle).precision
        found.append(Contender(f"ours {precision}, one at a time", in_bundle(bundle, True)))
        found.append(Contender(f"ours {precision}", in_bundle(bundle, False)))
    return found


def rivals(gold: Path) -> list[Contender]:
    """Those that are trained here and now on the same gold sentences."""
    documents = list(read_jsonl(gold))
    print(f"training a CRF and spaCy on {len(documents)} sentences", file=sys.stderr)
    return [Contender("sklearn-crfsuite", crf(documents)), Contender("spaCy ner", spacy_ner(documents))]


def measure(everyone: Sequence[Contender], documents: Sequence[Document], repeat: int) -> None:
    """Let them run in turns, so that a busy minute of the machine hits all of them."""
    for turn in range(repeat):
        for each in everyone:
            part = documents[: round(each.share * len(documents))]
            started, spent = time.perf_counter(), time.process_time()
            found = each.tag(part)
            each.processor = min(each.processor, (time.process_time() - spent) / words(part))
            each.seconds = min(each.seconds, (time.perf_counter() - started) / words(part))
            if turn == 0:
                each.f1 = total(strict(a.entities, b.entities) for a, b in zip(part, found, strict=True)).f1


def words(documents: Sequence[Document]) -> int:
    """Words as people count them: between spaces."""
    return sum(len(document.text.split()) for document in documents)


COLD = (
    "import sys; from pathlib import Path; from students.predict import predict;"
    "from students.bundle_options import PredictOptions;"
    "predict(PredictOptions(bundle=Path(sys.argv[1]), text='Ada Lin met the team in Oslo.'));"
    "high = [line for line in open('/proc/self/status') if line.startswith('VmHWM')];"
    "print(high[0].split()[1], file=sys.stderr)"
)


def cold_start(bundle: Path) -> tuple[float, float]:
    """Seconds from the shell to the first entity, and megabytes resident: a new process, the best of five."""
    root = str(Path(__file__).parents[1])
    best, size = float("inf"), 0.0
    for _ in range(5):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", COLD, str(bundle)], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip
        best, size = min(best, time.perf_counter() - started), int(done.stderr.split()[-1]) / 1024
    return best, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, action="append", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--gold", type=Path, help="sentences to train a CRF and spaCy on")
    parser.add_argument("--most", type=int, default=1500)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    documents = list(read_jsonl(options.texts))[: options.most]
    everyone = contenders(options.run, options.bundle) + (rivals(options.gold) if options.gold else [])
    measure(everyone, documents, options.repeat)
    base = next(each for each in everyone if each.name.endswith("pipeline, batch 32"))
    machine = f"{cores()} cores, {instruction_set()}, onnxruntime {ENGINE}"
    print(f"{len(documents)} texts, {words(documents)} words; {machine}")
    print("\n| | words/s | times pipeline at 32 | by processor time | strict F1 |\n|---|---|---|---|---|")
    for each in everyone:
        times = f"{base.seconds / each.seconds:.1f} | {base.processor / each.processor:.1f}"
        score = f"{each.f1:.4f}" if each.share == 1 else "-"  # of other texts than the rest
        print(f"| {each.name} | {1 / each.seconds:,.0f} | {times} | {score} |")
    print("\n| bundle | MB | cold start s | resident MB |\n|---|---|---|---|")
    for bundle in options.bundle:
        manifest = read_manifest(bundle)
        seconds, resident = cold_start(bundle)
        print(f"| {manifest.precision} | {size_of(manifest) / 1e6:.1f} | {seconds:.2f} | {resident:.0f} |")
    if options.json:
        rows = [{"name": e.name, "words_per_second": 1 / e.seconds, "f1": e.f1} for e in everyone]
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
