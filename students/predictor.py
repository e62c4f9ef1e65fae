"""Prediction with PyTorch: Documents in, Documents with entities out, by the same road the runtime takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from distill.document import Document
from students.batches import by_length
from students.decode import Floats, entities, word_scores
from students.encode import Encoded, Ids
from students.model import Student
from students.team import ALONE, Team


def predict_documents(student: Student, documents: Sequence[Document], batch_size: int = 32) -> list[Document]:
    """The Documents with the student's entities in the place of their own; texts of any length, in fp32."""
    return predict_encoded(student, documents, [student.encoder.encode(each.text) for each in documents], batch_size)


def predict_encoded(
    student: Student,
    documents: Sequence[Document],
    texts: Sequence[Encoded],
    batch_size: int = 32,
    *,
    bf16: bool = False,
    team: Team = ALONE,
) -> list[Document]:
    """predict_documents for texts that are encoded already, as a dev set is scored every epoch; if asked, in bf16."""
    found = word_logits(student, texts, batch_size, bf16=bf16, team=team)
    triples = zip(documents, texts, found, strict=True)
    return [document.with_entities(entities(text, scores, student.tags)) for document, text, scores in triples]


def word_logits(
    student: Student, texts: Sequence[Encoded], batch_size: int = 32, *, bf16: bool = False, team: Team = ALONE
) -> list[Floats]:
    """The logits of every text's words, each of shape (words, tags)."""
    encoder = student.encoder
    windows = [encoder.windows(text) for text in texts]
    rows = [encoder.row(text, window) for text, own in zip(texts, windows, strict=True) for window in own]
    logits = iter(window_logits(student, rows, batch_size, bf16=bf16, team=team))
    pairs = zip(texts, windows, strict=True)
    return [word_scores(text, own, [next(logits) for _ in own], len(student.tags)) for text, own in pairs]


def window_logits(
    student: Student, rows: Sequence[Ids], batch_size: int = 32, *, bf16: bool = False, team: Team = ALONE
) -> list[Floats]:
    """Logits of rows of ids without those of the special tokens, each of shape (pieces, tags).

    A team's threads divide the batches among them.
    """
    encoder = student.encoder
    model: Any = student.model
    found: list[Floats] = [np.zeros((0, 0), np.float32)] * len(rows)
    was_training, device = model.training, next(model.parameters()).device

    def find(share: int) -> None:
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            for chosen in cut[share :: team.count]:
                ids, mask = padded([rows[i] for i in chosen], encoder.pad_id)
                scores = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits.float().cpu().numpy()
                for row, i in enumerate(chosen):
                    found[i] = scores[row, len(encoder.prefix) : len(rows[i]) - len(encoder.suffix)]

    model.eval()
    cut = list(by_length(rows, batch_size))
    team.map(find)
    model.train(was_training)
    return found


def padded(rows: Sequence[Ids], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows as one tensor of ids and their mask, both of shape (rows, longest)."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad_id)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.from_numpy(row.astype(np.int64))
        mask[i, : len(row)] = 1
    return ids, mask
