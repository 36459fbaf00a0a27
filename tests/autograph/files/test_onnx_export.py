"""Models written as ONNX: what onnxruntime makes of them, for batches of other sizes; and what cannot be written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import Dense, Layer, Parameter, Relu, Sequential, Tensor, elementwise, export_onnx, load_onnx
from autograph.errors import CheckpointError, OnnxError
from krnlpy import Device
from tests.models import lstm, resnet, transformer, vae
from tests.support.tiers import deep, one_vulkan_device, sampled

pytestmark = pytest.mark.one_vulkan_device

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

Arrays = Sequence[np.ndarray[Any, Any]]


class Function(Layer):
    """A function with a weight, as a layer."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.weight = Parameter(Tensor.from_numpy(np.linspace(-1, 1, 6, dtype=np.float32)))

    def forward(self, x: Tensor) -> Any:
        return self.function(x, self.weight)


def small_lenet() -> Layer:
    return Sequential(
        ag.Conv2(1, 3, 3, bias=True, seed=0),
        Relu(),
        ag.MaxPool2(2),
        ag.Conv2(3, 4, 3, seed=1, padding=1),
        ag.BatchNorm2(4),
        ag.Dropout(0.5, seed=0),
        ag.Flatten(),
        Dense(36, 5, bias=True, seed=2),
    )


def compare(model: Layer, inputs: Arrays, path: Path, tolerance: float = 2e-5) -> Any:
    """Against onnxruntime, with the batch of the example and another. The tolerance is for sums of some dozen numbers
    of order 1 in f32 through a few layers."""
    export_onnx(model, [Tensor.from_numpy(x) for x in inputs], path)
    session = onnxruntime.InferenceSession(path)
    model.eval()
    for count in (len(inputs[0]), len(inputs[0]) + 3):
        batch = [np.resize(x, (count, *x.shape[1:])) for x in inputs]
        expected = model(*[Tensor.from_numpy(x) for x in batch])
        found = session.run(None, {i.name: x for i, x in zip(session.get_inputs(), batch, strict=True)})
        for y, z in zip(tensors(expected), found, strict=True):
            assert (y.shape, y.numpy().dtype) == (z.shape, z.dtype)
            np.testing.assert_allclose(z, y.numpy(), rtol=tolerance, atol=tolerance)
    return onnx.load(path)


def tensors(value: Any) -> list[Tensor]:
    """The tensors in a result."""
    return [x for part in value for x in tensors(part)] if isinstance(value, tuple) else [value]


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_a_perceptron_and_convolutions(tmp_path: Path) -> None:
    model = Sequential(Dense(4, 8, bias=True, seed=0), Relu(), Dense(8, 3, seed=1))
    file = compare(model, [normal(2, 4)], tmp_path / "m.onnx")
    assert [opset.version for opset in file.opset_import] == [20]
    assert {tensor.name for tensor in file.graph.initializer} == {name for name, _ in model.named_parameters()}
    lenet = small_lenet().train()
    compare(lenet, [normal(2, 1, 8, 8)], tmp_path / "m.onnx")
    export_onnx(lenet.train(), Tensor.ones((1, 1, 8, 8)), tmp_path / "m.onnx")
    assert all(layer.training for _, layer in lenet.named_layers())


MODELS = {
    "resnet": (resnet.CASE, 1),
    "transformer": (transformer.CASE, 1),
    "lstm": (lstm.CASE, 1),
    "vae": (vae.CASE, 2),
}


@pytest.mark.parametrize(("case", "count"), sampled([*MODELS.values()], 4), ids=MODELS)
def test_models_with_forwards_of_their_own(case: Any, count: int, tmp_path: Path) -> None:
    inputs = [x.astype(np.int32) if x.dtype == np.int64 else x for x in case.batch(0)[:count]]
    compare(case.model(Device.host()), inputs, tmp_path / "m.onnx")


SEQUENCES: dict[str, Callable[[], Layer]] = {
    "lstm": lambda: ag.LSTM(4, 5, 2, bidirectional=True, seed=0),
    "gru": lambda: ag.GRU(4, 5, bias=False, seed=0),
    "rnn": lambda: ag.RNN(4, 5, activation="relu", seed=0),
    "block": lambda: ag.TransformerBlock(4, 2, causal=True, seed=0),
    "shared heads": lambda: ag.MultiHeadAttention(4, 2, key_heads=1, rotary=True, causal=True, seed=0),
}


@pytest.mark.parametrize(("name",), sampled([(name,) for name in SEQUENCES], 3))
def test_sequences(name: str, tmp_path: Path) -> None:
    model = SEQUENCES[name]()
    compare(model, [normal(2, 3, 4)], tmp_path / "m.onnx")
    x = Tensor.from_numpy(normal(2, 3, 4))
    for found, expected in zip(tensors(load_onnx(tmp_path / "m.onnx")(x)), tensors(model(x)), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-5)


def test_lengths_of_sequences(tmp_path: Path) -> None:
    class Lengths(Layer):
        def __init__(self) -> None:
            self.recurrent = ag.GRU(4, 5, bidirectional=True, seed=0)
            self.attention = ag.MultiHeadAttention(4, 2, seed=0)

        def forward(self, x: Tensor, lengths: Tensor) -> Any:
            y, state = self.recurrent(x, lengths=lengths)
            return y, state, self.attention(x, lengths=lengths)

    compare(Lengths(), [normal(3, 4, 4), np.array([4, 1, 2], np.int32)], tmp_path / "m.onnx")


NUMBERS: dict[str, Callable[..., Any]] = {
    "activations": lambda x, w: (
        ag.gelu(x) + ag.gelu(x, "tanh") + ag.silu(x) * ag.elu(x) + ag.leaky_relu(x, 0.2) - ag.softplus(x) * ag.mish(x)
        + ag.hard_tanh(x) + ag.relu6(x) + ag.selu(x) + ag.celu(x, 2.0) + ag.log_sigmoid(x) + ag.hard_swish(x)
        + ag.hard_sigmoid(x) + ag.softsign(x)
    ),
    "numbers": lambda x, w: (
        2 - x / 3 + (1 / (x * x + 1)) * ag.clip(x, -0.5) + ag.where(x > w, x, -1) ** 2 + ag.maximum(x, w) % 0.7
        + ag.floor(x) - ag.round(x) + ag.expm1(x) + ag.log1p(x * x) + ag.rsqrt(x * x + 1) + ag.exp2(x) + ag.erf(x)
    ),
    "truth": lambda x, w: (
        ((x > 0) & ~(x < w) | (x == w)).cast("f32") + (x != 0).cast("i32") * 2 + (x > 0).any(1, keepdims=True)
    ),
    "shapes": lambda x, w: (
        ag.concat([x, x * 2], axis=1), ag.stack([x, x + w], axis=-1), ag.pad(x, [(0, 0), (1, 2)], "reflect"),
        x.T.mT[:, ::-2].T, x[..., None, 1:4].flatten(), ag.moveaxis(x.reshape(-1, 2, 3), 1, 2), ag.tile(x, (1, 2)),
        x.split([2, 3], axis=1)[1], ag.flip(x, axis=1), ag.expand_dims(x, 1).broadcast_to(x.shape[0], 4, 6),
    ),
    "reductions": lambda x, w: (
        x.sum(1), x.mean(-1, keepdims=True), x.max(1), ag.var(x, 1, correction=1), ag.std(x, 1), ag.logsumexp(x, 1),
        x.argmax(1), x.softmax(1), ag.log_softmax(x), ag.cumulative_sum(x, 1), ag.topk(x, 3)[1], ag.sort(x, axis=1),
    ),
    "products": lambda x, w: (
        x @ w, ag.einsum("bi,i,j->bij", x, w, w), ag.matmul(x.reshape(-1, 2, 3), w.reshape(3, 2)), ag.outer(x[:, 0], w),
    ),
    "norms": lambda x, w: (
        ag.layer_norm(x, w, w), ag.rms_norm(x, w), ag.group_norm(x, 2, w, w), ag.instance_norm(x.reshape(-1, 2, 3)),
        ag.batch_norm_inference(x, w, w * w), ag.layer_norm(x.reshape(-1, 2, 3), axis=(1, 2)),
    ),
    "places": lambda x, w: (
        w[(x > 0).cast("i32")], ag.take_along_axis(x, x.argmax(1, keepdims=True), axis=1),
        ag.one_hot((x[:, 0] > 0).cast("i32"), 3), ag.take(x, [2, 0], axis=1), ag.tril(x.reshape(-1, 2, 3)),
    ),
    "sizes of the batch": lambda x, w: (
        x + Tensor.ones((x.shape[0], 1)), ag.zeros_like(x) + w, x.reshape(x.shape[0] * 2, 3), x / len(x) + len(x) * 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name",), sampled([(name,) for name in NUMBERS], 2))
def test_operations(name: str, tmp_path: Path) -> None:
    compare(Function(NUMBERS[name]), [normal(4, 6)], tmp_path / "m.onnx")


WINDOWS: dict[str, Callable[..., Any]] = {
    "convolutions": lambda x, w: (
        ag.conv2(x, w.reshape(1, 2, 3, 1), stride=(2, 1), padding=(1, 0)),
        ag.conv2(x, w[:4].reshape(2, 1, 2, 1), groups=2, padding="same", padding_mode="edge"),
        ag.conv_transpose2(x, w.reshape(2, 1, 3, 1), stride=2, output_padding=(1, 0)),
        ag.conv1(x.reshape(-1, 2, 30), w.reshape(1, 2, 3), dilation=2),
    ),
    "pools": lambda x, w: (
        ag.max_pool2(x, 3, 2, padding=1), ag.avg_pool2(x, 2, padding=1, count_include_pad=False),
        ag.adaptive_avg_pool2(x, 1), ag.adaptive_max_pool2(x, (3, 5)),
    ),
    "sizes": lambda x, w: (
        ag.interpolate(x, (12, 10)), ag.interpolate(x, (12, 15), mode="linear"),
        ag.interpolate(x, (3, 9), mode="linear", align_corners=True), ag.pixel_shuffle(x.reshape(-1, 4, 3, 5), 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name: str, tmp_path: Path) -> None:
    compare(Function(WINDOWS[name]), [normal(4, 2, 6, 5)], tmp_path / "m.onnx")


@one_vulkan_device
def test_a_model_on_a_device(device: Device, tmp_path: Path) -> None:
    model = Sequential(Dense(4, 3, bias=True, seed=0, device=device), Relu())
    x = normal(2, 4)
    export_onnx(model, Tensor.from_numpy(x, device), tmp_path / "m.onnx")
    (found,) = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"input": x})
    np.testing.assert_allclose(found, model(Tensor.from_numpy(x, device)).numpy(), atol=1e-6)
    again = load_onnx(tmp_path / "m.onnx", device)
    np.testing.assert_allclose(again(Tensor.from_numpy(x, device)).numpy(), found, atol=1e-6)


@elementwise
def cubed(x: Any) -> Any:
    return x * x * x


def test_what_cannot_be_written_is_listed_at_once(tmp_path: Path) -> None:
    def many(x: Tensor, w: Tensor) -> Any:
        y = cubed(ag.cumulative_prod(x, 1)) + cubed(x)
        y[0] = 1
        return ag.fold(ag.unfold(y.reshape(-1, 1, 2, 3), 2), (2, 3), 2), x.sum().item()

    path = tmp_path / "m.onnx"
    path.write_text("before")
    with pytest.raises(OnnxError, match="Function has operations") as caught:
        export_onnx(Function(many), Tensor.from_numpy(normal(4, 6)), path)
    listed = str(caught.value)
    for what in (
        "cubed (2)",
        "cumulative_prod (1)",
        "x[key] = value, which changes a tensor in place (1)",
        "fold (1)",
        "unfold (1)",
        "item() of what depends",
    ):
        assert what in listed, listed
    assert path.read_text() == "before"


def test_what_depends_on_inputs_by_other_means(tmp_path: Path) -> None:
    def hidden(x: Tensor, w: Tensor) -> Any:
        return w * Tensor.from_numpy(x.buffer.numpy().sum(1, keepdims=True))

    for function, message in (
        (hidden, "by other means than operations"),
        (lambda x, w: x + w if x.shape[0] == 4 else x, "other operations for another batch"),
        (lambda x, w: x * (1 / len(x)), "multiply with the setting 0.25, which depends on an input"),
        (lambda x, w: None, "gave no tensor"),
    ):
        with pytest.raises(OnnxError, match=message):
            export_onnx(Function(function), Tensor.from_numpy(normal(4, 6)), tmp_path / "m.onnx")


def test_wrong_arguments(tmp_path: Path) -> None:
    model, x = Dense(4, 3), Tensor.ones((2, 4))
    for wrong in ((Tensor.ones(2), x), (model, ()), (model, [1.0])):
        with pytest.raises(OnnxError, match="expected a Layer"):
            export_onnx(wrong[0], wrong[1], tmp_path / "m.onnx")  # type: ignore[arg-type]
    with pytest.raises(OnnxError, match="no common batch"):
        export_onnx(model, [x, Tensor.ones(())], tmp_path / "m.onnx")
    with pytest.raises(CheckpointError, match="is a folder"):
        export_onnx(model, x, tmp_path)
    export_onnx(model, x, tmp_path / "m.onnx", dynamic_batch=False)
    assert [d.dim_value for d in onnx.load(tmp_path / "m.onnx").graph.input[0].type.tensor_type.shape.dim] == [2, 4]


def test_profilers_are_as_before(tmp_path: Path) -> None:
    import sys

    seen = []

    def profile(frame: Any, event: str, value: Any) -> None:
        seen.append(event)

    sys.setprofile(profile)
    try:
        export_onnx(Dense(4, 3), Tensor.ones((2, 4)), tmp_path / "m.onnx")
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)


@deep
def test_a_model_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograph.files.onnx.export._MOST_BYTES", 40)
    with pytest.raises(OnnxError, match="48 bytes of weights"):
        export_onnx(Dense(4, 3), Tensor.ones((2, 4)), tmp_path / "m.onnx")
