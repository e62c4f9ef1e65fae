"""The quiz: held-out questions answered while a model is tuned, and the string-set score of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accelerate.utils import gather_object

from distill.scores import Score, string_sets, total
from teachers.dialogue import Dialogue
from teachers.greedy import Greedy
from teachers.schoolbook import Question, mentions_of, pairs


@dataclass(frozen=True)
class Quiz:
    """The same questions at every check; with several processes each answers its share of them."""

    questions: Sequence[Question]
    dialogue: Dialogue
    most: int
    rows: int

    def score(self, model: Any, process: int = 0, processes: int = 1) -> Score:
        """String sets (UniNER, RA-IT) over all questions; an answer that is no list counts as empty and unparsed."""
        mine = self.questions[process::processes]
        was_training = model.training
        model.eval()
        try:
            speaker = Greedy(model, self.dialogue.stop, self.dialogue.pad, self.most, self.rows)
            said = speaker.answers([[question.prompt] for question in mine])
        finally:
            model.train(was_training)
        scores = [
            self._scored(question, self.dialogue.text(answer.ids) if answer.whole else "")
            for question, (answer,) in zip(mine, said, strict=True)
        ]
        return total(gather_object(scores) if processes > 1 else scores)

    @staticmethod
    def _scored(question: Question, answer: str) -> Score:
        found = mentions_of(answer)
        gold = pairs(question.mentions, "asked")  # one label for all: the score is of all questions together
        return string_sets(gold, None if found is None else pairs(found, "asked"))
