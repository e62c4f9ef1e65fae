"""A vote keeps what most teachers named, says how many did, and hides no disagreement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import entities, texts

from distill.calibration import Calibration, calibration_error, fit, read_calibration, reliability, write_calibration
from distill.document import Document, Entity, Span
from distill.errors import CallError, InputError
from distill.jsonl import read_jsonl, write_jsonl
from teachers.majority import Ballot, Rules, decide
from teachers.vote import VoteReport, vote
from teachers.vote_options import VoteOptions

TEXT = "Mira Solberg of Fjord Bank left Oslo."
MIRA, BANK, OSLO = Entity(0, 12, "PER"), Entity(16, 26, "ORG"), Entity(32, 36, "LOC")


def files(folder: Path, *teachers: Sequence[Document]) -> tuple[Path, ...]:
    paths = tuple(folder / f"t{number}.jsonl" for number in range(len(teachers)))
    for path, documents in zip(paths, teachers, strict=True):
        write_jsonl(documents, path)
    return paths


def voted(folder: Path, *teachers: Sequence[Document], **options: object) -> tuple[list[Document], VoteReport]:
    out = folder / "v.jsonl"
    report = vote(VoteOptions(inputs=files(folder, *teachers), out=out, **options))  # type: ignore[arg-type]
    return list(read_jsonl(out)), report


def named(*found: Entity, id: str = "a", text: str = TEXT) -> Document:
    return Document(id, text, found)


def test_what_most_teachers_named_is_kept_with_the_share_that_named_it(tmp_path: Path) -> None:
    wrong = Entity(16, 26, "LOC")
    (document,), report = voted(tmp_path, [named(MIRA, BANK, OSLO)], [named(MIRA, BANK)], [named(MIRA, wrong)])
    assert [(e.label, round(e.score or 0, 3)) for e in document.entities] == [("PER", 1.0), ("ORG", 0.667)]
    assert (report.documents, report.entities, report.unanimous, report.outvoted) == (1, 2, 1, 2)
    assert document.meta["voters"] == ["t0", "t1", "t2"]
    assert [(row["label"], row["votes"], row["kept"], row["by"]) for row in document.meta["disputed"]] == [
        ("LOC", 1, False, ["t2"]), ("ORG", 2, True, ["t0", "t1"]), ("LOC", 1, False, ["t0"]),
    ]  # fmt: skip
    assert document.meta["agreement"] == pytest.approx((1 + 2 / 3 + 2 / 3 + 2 / 3) / 4, abs=1e-3)


def test_half_of_the_teachers_are_not_enough_unless_told_so(tmp_path: Path) -> None:
    two = [named(MIRA)], [named()]
    assert voted(tmp_path, *two)[0][0].entities == ()
    assert voted(tmp_path, *two, at_least=0.5)[0][0].entities == (MIRA,)
    three = [named(MIRA)], [named(MIRA)], [named()]
    assert voted(tmp_path, *three, at_least=0.667)[0][0].entities == (MIRA,)
    assert voted(tmp_path, *three, at_least=0.7)[0][0].entities == ()


def test_overlapping_winners_are_resolved_by_votes_then_length_then_order() -> None:
    ballot = Ballot()
    bank, long, late = Entity(16, 26, "ORG"), Entity(13, 26, "ORG"), Entity(22, 31, "ORG")
    ballot.cast("a", [bank, long, late])
    ballot.cast("b", [bank, late, Entity(16, 26, "LOC")])
    ballot.cast("c", [long])
    low = Rules(at_least=0.3)
    assert decide(ballot, low).entities == (long,)  # two votes like its rivals, and longest
    assert set(decide(ballot, Rules(at_least=0.3, overlaps="keep")).entities) == set(ballot.votes)
    ballot.cast("d", [bank])
    verdict = decide(ballot, low)
    assert verdict.entities == (bank,)
    assert [row["label"] for row in verdict.disputed if row["kept"]] == ["ORG"]


@given(st.data())
def test_every_candidate_is_kept_or_told(data: st.DataObject) -> None:
    text = data.draw(texts)
    said = [data.draw(entities(text)) for _ in range(data.draw(st.integers(2, 4)))]
    ballot = Ballot()
    for number, each in enumerate(said):
        ballot.cast(str(number), each)
    verdict = decide(ballot, Rules(data.draw(st.sampled_from([None, 0.25, 0.5, 1.0]))))
    told = {(r["start"], r["end"], r["label"], str(r.get("fragments", []))) for r in verdict.disputed}
    shown = {(e.start, e.end, e.label, str([list(f) for f in e.fragments])) for e in verdict.entities}
    everything = {(e.start, e.end, e.label, str([list(f) for f in e.fragments])) for each in said for e in each}
    assert told | shown == everything
    assert all(a.end <= b.start for a, b in zip(verdict.entities, verdict.entities[1:], strict=False))
    assert 0 <= verdict.agreement <= 1


def test_a_file_that_lacks_a_document_has_no_vote_on_it_and_is_told(tmp_path: Path) -> None:
    one, two, three = named(MIRA, id="1"), named(MIRA, id="2"), named(MIRA, id="3")
    found, report = voted(tmp_path, [one, two, three], [three, one], [named(id="2"), one, three])
    assert [document.id for document in found] == ["1", "3", "2"]
    assert {d.id: len(d.entities) for d in found} == {"1": 1, "2": 0, "3": 1}
    assert report.absent == {"t1": 1}
    assert "t1 lacks 1 documents" in str(report)


def test_other_texts_and_repeated_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another text in t1"):
        voted(tmp_path, [named(MIRA)], [named(text="Mira Solberg left.")])
    with pytest.raises(InputError, match=r"t0\.jsonl: id 'a' stands twice"):
        voted(tmp_path, [named(), named()], [named()])
    assert not (tmp_path / "v.jsonl").exists()
    with pytest.raises(CallError, match="two label files"):
        voted(tmp_path, [named()])


def test_aliases_count_as_their_label_before_the_vote(tmp_path: Path) -> None:
    (tmp_path / "labels.toml").write_text('[ORG]\naliases = ["bank"]\n[PER]\n')
    other = Entity(16, 26, "bank")
    (document,), _ = voted(tmp_path, [named(BANK)], [named(other)], labels=tmp_path / "labels.toml")
    assert [(e.label, e.score) for e in document.entities] == [("ORG", 1.0)]
    with pytest.raises(InputError, match="Add `aliases"):
        voted(tmp_path, [named(OSLO)], [named(other)], labels=tmp_path / "labels.toml")


def test_discontinuous_entities_are_voted_on_with_their_fragments(tmp_path: Path) -> None:
    apart = Entity(0, 12, "PER", fragments=(Span(0, 4), Span(5, 12)))
    (document,), _ = voted(tmp_path, [named(apart)], [named(apart)], [named(MIRA)])
    assert document.entities == (apart,)
    assert document.meta["disputed"][1]["fragments"] == [[0, 4], [5, 12]]


def test_a_calibration_is_fitted_on_gold_saved_and_used_again(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="fitting needs scikit-learn")
    three = [named(MIRA, BANK, OSLO)], [named(MIRA, BANK)], [named(MIRA)]
    write_jsonl([named(MIRA)], tmp_path / "gold.jsonl")
    curve = tmp_path / "curve.json"
    _, report = voted(tmp_path, *three, gold=tmp_path / "gold.jsonl", calibration_out=curve)
    assert report.calibrated_on == 3
    (document,), _ = voted(tmp_path, *three, calibration=curve)
    assert [e.score for e in document.entities] == [1.0, 0.0]
    with pytest.raises(CallError, match="go together"):
        voted(tmp_path, *three, gold=tmp_path / "gold.jsonl")


def test_a_calibration_reads_back_without_scikit_learn_and_refuses_nonsense(tmp_path: Path) -> None:
    curve = Calibration((0.2, 0.6, 1.0), (0.1, 0.5, 0.9))
    write_calibration(curve, tmp_path / "c.json")
    assert read_calibration(tmp_path / "c.json") == curve
    assert [round(curve(score), 3) for score in (0, 0.2, 0.4, 0.6, 0.8, 1)] == [0.1, 0.1, 0.3, 0.5, 0.7, 0.9]
    for text in ("[1]", '{"kind": "isotonic"}', '{"kind": "isotonic", "x": [1, 0], "y": [0, 1]}', "{"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match=r"bad\.json"):
            read_calibration(tmp_path / "bad.json")


def test_the_fitted_curve_says_the_share_that_is_right() -> None:
    pytest.importorskip("sklearn", reason="fitting needs scikit-learn")
    shares = [0.5] * 10 + [1.0] * 10
    right = [True] * 2 + [False] * 8 + [True] * 9 + [False]
    before = calibration_error(reliability(shares, right))
    curve = fit(shares, right)
    after = calibration_error(reliability([curve(share) for share in shares], right))
    assert before == pytest.approx(0.2)
    assert after == pytest.approx(0)
    assert curve(1.0) == pytest.approx(0.9)
