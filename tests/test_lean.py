"""The lean graph and its int8 form give what the student gives, whatever the encoder and whoever else is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from onnx import helper, numpy_helper

from students.lean import flatten
from students.quantise import _largest_pair, _steps, quantised
from students.session import open_session
from students.trace import trace

SIZES: dict[str, Any] = {
    "vocab_size": 1100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "num_labels": 5, "max_position_embeddings": 64,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "Bert": {}, "Roberta": {"pad_token_id": 1}, "Electra": {"embedding_size": 16}, "Albert": {"embedding_size": 16},
    "DistilBert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}, "MPNet": {"pad_token_id": 1},
}  # fmt: skip
NOT_FLAT = {"MPNet"}  # it adds a bias to the scores


def model_of(family: str, **settings: Any) -> Any:
    """A small student of random weights, biases included."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = getattr(transformers, f"{family}Config")(**{**SIZES, **FAMILIES[family], **settings})
        model = getattr(transformers, f"{family}ForTokenClassification")(config).eval()
        for weight in model.parameters():
            weight.data += 0.1 * torch.randn_like(weight)
    return model


def session(model: onnx.ModelProto) -> Any:
    return open_session(model.SerializeToString())


SMALL = st.lists(st.tuples(*[st.integers(-127, 127)] * 2), min_size=2, max_size=40).map(
    lambda pairs: [pair if abs(sum(pair)) <= 128 else (pair[0], 0) for pair in pairs]
)


@given(SMALL, st.integers(1, 20), st.sampled_from([0, 32, 128]))
def test_products_whose_pairs_are_small_are_exact_on_this_cpu(
    pairs: list[tuple[int, int]], tokens: int, zero: int
) -> None:
    weight = np.repeat(np.asarray(pairs, np.int8).reshape(-1, 1), 33, axis=1)
    bytes_ = np.full((tokens, len(weight)), 255, np.uint8)
    bytes_[::2, 1::2] = 0
    model = product_of(weight, zero)
    found = open_session(model.SerializeToString(), small_pairs=True).run(None, {"bytes": bytes_})[0]
    assert np.array_equal(found, (bytes_.astype(int) - zero) @ weight.astype(int))


def product_of(weight: np.ndarray, zero: int) -> onnx.ModelProto:
    """A graph of one product, of bytes (tokens, inputs) by a constant weight (inputs, outputs)."""
    constants = {
        "weight": weight, "one": np.float32(1), "steps": np.ones(weight.shape[1], np.float32), "zero": np.uint8(zero),
    }  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("MatMulIntegerToFloat", ["bytes", "weight", "one", "steps", "zero", ""], ["found"],
                          domain="com.microsoft")],
        "product", [helper.make_tensor_value_info("bytes", onnx.TensorProto.UINT8, [None, len(weight)])],
        [helper.make_tensor_value_info("found", onnx.TensorProto.FLOAT, [None, weight.shape[1]])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(-9, 9, width=32)))
def test_a_step_with_small_pairs_is_at_most_about_twice_the_other(weight: np.ndarray) -> None:
    plain, small = _steps(weight, False), _steps(weight, True)
    numbers = np.rint(weight / small)
    assert (small >= plain).all() and (small <= 2.05 * plain).all()
    assert (np.abs(numbers) <= 127).all() and (_largest_pair(numbers) <= 128).all()


def logits(model: onnx.ModelProto, ids: np.ndarray) -> np.ndarray:
    return np.asarray(session(model).run(None, {"input_ids": ids})[0])


def rows(batch: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(5, 1000, (batch, length))


@pytest.mark.parametrize(
    ("family", "settings"),
    [*((family, {}) for family in FAMILIES), *(("Bert", {"hidden_act": name}) for name in ("relu", "gelu_new"))],
)
def test_an_encoder_of_the_family_keeps_its_logits(family: str, settings: dict[str, Any]) -> None:
    model = model_of(family, **settings)
    graph = trace(model)
    onnx.checker.check_model(graph)
    assert (2 in ranks(graph)) is (family not in NOT_FLAT)
    for batch, length in ((1, 1), (5, 12)):
        ids = rows(batch, length)
        with torch.inference_mode():
            expected = model(input_ids=torch.from_numpy(ids), attention_mask=torch.ones(ids.shape)).logits.numpy()
        np.testing.assert_allclose(logits(graph, ids), expected, atol=2e-4)
        assert np.abs(logits(quantised(graph), ids) - expected).max() < 0.1 * max(np.abs(expected).max(), 1.0)


def ranks(graph: onnx.ModelProto) -> set[int]:
    """Of the values that are normalised."""
    made = {node.output[0] for node in graph.graph.node if node.op_type == "LayerNormalization"}
    known = onnx.shape_inference.infer_shapes(graph).graph.value_info
    return {len(value.type.tensor_type.shape.dim) for value in known if value.name in made}


def test_a_graph_of_another_make_is_left_alone() -> None:
    node = onnx.helper.make_node("Softmax", ["x"], ["y"])
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 4]) for name in "xy"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", value[:1], value[1:]))
    before = model.SerializeToString()
    assert not flatten(model) and model.SerializeToString() == before


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    graph = trace(model_of("Bert"))
    return session(graph), session(quantised(graph))


@given(batch=st.integers(1, 9), length=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_row_has_the_same_bits_alone_and_in_company(
    pair: tuple[Any, Any], batch: int, length: int, seed: int
) -> None:
    ids = rows(batch, length, seed)
    together = pair[1].run(None, {"input_ids": ids})[0]
    alone = [pair[1].run(None, {"input_ids": ids[at : at + 1]})[0][0] for at in range(batch)]
    assert np.array_equal(together, np.stack(alone))


def test_int8_keeps_one_step_for_each_token(pair: tuple[Any, Any]) -> None:
    """A loud neighbour does not make a quiet token coarse: the distance from fp32 stays what it was."""
    quiet = rows(1, 12)
    loud = np.concatenate([quiet, rows(3, 12, 1)])
    near = [np.abs(pair[1].run(None, {"input_ids": ids})[0][0] - pair[0].run(None, {"input_ids": ids})[0][0]).max()
            for ids in (quiet, loud)]  # fmt: skip
    assert near[0] == near[1]
