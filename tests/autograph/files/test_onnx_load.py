"""ONNX files as layers: onnx's own tests, what we wrote, what PyTorch's users have; and damaged files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import SGD, Dense, Relu, Sequential, Tensor, export_onnx, load_onnx
from autograph.errors import AutographError, OnnxError
from autograph.files.onnx.load import OPERATORS
from krnlpy import Device
from krnlpy.errors import FileError, FileMissing, KrnlpyError
from tests.models import lstm, resnet, transformer
from tests.support.tiers import deep, one_vulkan_device

from .onnx_nodes import cases, judge, report
from .test_safetensors import damaged

pytestmark = pytest.mark.one_vulkan_device

onnx = pytest.importorskip("onnx")
helper = onnx.helper


def graph_file(path: Path, nodes: list[Any], initializers: dict[str, np.ndarray[Any, Any]], version: int = 20) -> Path:
    """A file of a graph from ``x`` to ``y``, which onnx's checker has not seen."""
    x, y = (helper.make_tensor_value_info(name, 1, None) for name in "xy")
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in initializers.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    path.write_bytes(model.SerializeToString())
    return path


@deep
def test_node_tests() -> None:
    counts, others = report(Device.host())
    wrong = {name: verdict for name, verdict in others.items() if not verdict.startswith("refused")}
    assert not wrong
    assert counts["refused"] < 50 < 700 < counts["passed"]


@deep
def test_node_tests_on_devices(device: Device, tmp_path: Path) -> None:
    """Those of f32, which every device has; 64-bit integers are the host's."""
    for case in cases()[:: 7 if device.info.kind != "interpreter" else 61]:
        arrays = [np.asarray(x) for data in case.data_sets for side in data for x in side]
        if {array.dtype.name for array in arrays} <= {"float32", "int32", "bool"}:
            verdict = judge(case, device, tmp_path)
            assert verdict == "passed" or verdict.startswith("refused"), (case.name, verdict)


@deep
@pytest.mark.parametrize("case", [resnet.CASE, transformer.CASE, lstm.CASE], ids=["resnet", "transformer", "lstm"])
def test_what_we_write(case: Any, tmp_path: Path) -> None:
    model = case.model(Device.host())
    given = case.batch(0)[0]
    x = Tensor.from_numpy(given.astype(np.int32) if given.dtype == np.int64 else given)
    export_onnx(model, x, tmp_path / "m.onnx")
    loaded = load_onnx(tmp_path / "m.onnx")
    np.testing.assert_allclose(loaded(x).numpy(), model.eval()(x).numpy(), atol=1e-5)
    assert loaded.parameter_count >= model.parameter_count


@one_vulkan_device
def test_a_loaded_model_trains(device: Device, tmp_path: Path) -> None:
    model = Sequential(Dense(4, 8, bias=True, seed=0), Relu(), ag.BatchNorm1(8), Dense(8, 3, seed=1))
    export_onnx(model, Tensor.ones((2, 4)), tmp_path / "m.onnx")
    loaded, optimizer = load_onnx(tmp_path / "m.onnx", device), SGD()
    assert {name for name, _ in loaded.named_buffers()} == {
        "weights.layers/2/running_mean",
        "weights.layers/2/running_var",
    }
    rng = np.random.default_rng(0)
    x = Tensor.from_numpy(rng.normal(size=(8, 4)).astype(np.float32), device)
    classes = Tensor.from_numpy(rng.integers(0, 3, 8).astype(np.int32), device)
    losses = []
    for _ in range(2 if device.info.kind == "interpreter" else 8):
        loaded.init_parameter_grads()
        loss = loaded(x).cross_entropy_loss(classes)
        loss.backward()
        loaded.update(0.2, optimizer)
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def light(name: str) -> Path:
    return Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"


@deep
@pytest.mark.parametrize("name", ["resnet50", "densenet121", "shufflenet", "squeezenet", "inception_v2", "vgg19"])
def test_models_of_onnx(name: str, tmp_path: Path) -> None:
    """Their weights are made by nodes, all alike; random ones, small enough for so many layers, take their place."""
    onnxruntime = pytest.importorskip("onnxruntime")
    model, rng = onnx.load(light(name)), np.random.default_rng(0)
    shapes = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in shapes:
            shape = shapes[node.input[0]]
            spread = 1.4 / np.sqrt(max(1, np.prod(shape[1:]))) if len(shape) > 1 else 0.1
            array = rng.normal(0 if len(shape) > 1 else 0.5, spread, shape).astype(np.float32)
            model.graph.initializer.append(
                onnx.numpy_helper.from_array(np.abs(array) if len(shape) == 1 else array, node.output[0])
            )
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    onnx.save(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    info = session.get_inputs()[0]
    x = rng.random(info.shape, dtype=np.float32)
    (expected,) = session.run(None, {info.name: x})
    found = load_onnx(tmp_path / "m.onnx")(Tensor.from_numpy(x)).numpy()
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


@deep
def test_modules_that_pytorch_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(16, 4, 32, 0.0, "gelu", batch_first=True)
    transformer = nn.Sequential(nn.Embedding(20, 16), nn.TransformerEncoder(block, 2), nn.Linear(16, 20))
    images = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2),
        nn.BatchNorm2d(8),
        nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    recurrent = nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True)
    for module, x in (
        (transformer, torch.randint(0, 20, (2, 5))),
        (images, torch.randn(2, 3, 16, 16)),
        (recurrent, torch.randn(2, 3, 4)),
    ):
        module.eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module, (x,), tmp_path / "m.onnx", dynamo=False, opset_version=17)
        found, expected = load_onnx(tmp_path / "m.onnx")(Tensor.from_numpy(x.numpy())), module(x)
        if isinstance(expected, tuple):
            found, expected = found[0], expected[0]
        np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), atol=1e-5)


def test_unknown_operators_are_listed_at_once(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("StringConcat", ["a", "a"], ["b"]),
        helper.make_node("Scan", ["b"], ["c"]),
        helper.make_node("Scan", ["c"], ["d"]),
        helper.make_node("Attend", ["d"], ["y"], domain="com.example"),
    ]
    with pytest.raises(OnnxError) as caught:
        load_onnx(graph_file(tmp_path / "m", nodes, {}))
    assert str(caught.value).splitlines()[1:] == ["  Scan (2)", "  StringConcat (1)", "  com.example.Attend (1)"]
    assert len(OPERATORS) > 100


def test_graphs_that_are_none(tmp_path: Path) -> None:
    relu = helper.make_node
    wrong: list[tuple[list[Any], str]] = [
        ([relu("Relu", ["z"], ["y"])], "takes 'z', which nothing before it gives"),
        ([relu("Relu", ["x"], ["y"]), relu("Relu", ["x"], ["y"])], "gives 'y', which is there before"),
        ([relu("Relu", ["x"], ["z"])], "the output 'y' is nowhere made"),
    ]
    for nodes, message in wrong:
        with pytest.raises(OnnxError, match=message):
            load_onnx(graph_file(tmp_path / "m", nodes, {}))
    with pytest.raises(FileMissing):
        load_onnx(tmp_path / "missing")
    with pytest.raises(FileError):
        load_onnx(tmp_path)
    for content in (b"", b"not a model", b"\xff" * 100):
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(OnnxError, match="damaged or not of ONNX"):
            load_onnx(tmp_path / "m")


def test_tensors_that_lie(tmp_path: Path) -> None:
    node = helper.make_node("Add", ["x", "w"], ["y"])
    for change, message in (
        (lambda t: t.dims.__setitem__(0, 1 << 40), "has 8 bytes, not 1099511627776 elements of f32"),
        (lambda t: t.dims.__setitem__(0, -1), "has the shape"),
        (lambda t: setattr(t, "data_type", 17), "data type 17"),
        (lambda t: setattr(t, "data_location", 1), "lies in another file"),
        (lambda t: setattr(t, "raw_data", b""), "has 0 elements"),
    ):
        path = graph_file(tmp_path / "m", [node], {"w": np.ones(2, np.float32)})
        model = onnx.ModelProto()
        model.ParseFromString(path.read_bytes())
        change(model.graph.initializer[0])
        path.write_bytes(model.SerializeToString())
        with pytest.raises(OnnxError, match=message):
            load_onnx(path)


def test_sizes_that_lie(tmp_path: Path) -> None:
    huge = np.array([1 << 40, 1 << 40])
    for kind in ("Expand", "Tile"):
        path = graph_file(tmp_path / "m", [helper.make_node(kind, ["x", "n"], ["y"])], {"n": huge})
        with pytest.raises(OnnxError, match=rf"{kind} \(node 0\): a tensor of shape"):
            load_onnx(path)(Tensor.ones((1, 1)))
    path = graph_file(
        tmp_path / "m", [helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": np.ones((3, 2), np.float32)}
    )
    with pytest.raises(OnnxError, match=r"MatMul \(node 0\): .*\(1, 1\)"):
        load_onnx(path)(Tensor.ones((1, 1)))
    with pytest.raises(OnnxError, match="takes tensors for x; 2 arguments"):
        load_onnx(path)(Tensor.ones(1), Tensor.ones(1))


def test_every_way_in_which_tensors_are_stored(tmp_path: Path) -> None:
    for name in ("bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f16", "bf16", "f32", "f64"):
        values = Tensor.from_numpy([0, 1, 1, 0]).cast(name)
        number = {"bool": 9, "bf16": 16}.get(name) or helper.np_dtype_to_tensor_dtype(values.numpy().dtype)
        tensors = [
            helper.make_tensor("w", number, [4], values.tolist()),
            helper.make_tensor("w", number, [4], values.numpy().tobytes(), raw=True),
        ]
        for tensor in tensors:
            path = graph_file(tmp_path / "m", [helper.make_node("Identity", ["w"], ["y"])], {})
            model = onnx.load_model_from_string(path.read_bytes())
            model.graph.initializer.append(tensor)
            path.write_bytes(model.SerializeToString())
            found = load_onnx(path)(Tensor.ones(1))
            assert (found.dtype, found.tolist()) == (values.dtype, values.tolist()), name


def try_damaged(path: Path, count: int) -> int:
    """How many of so many damaged files are refused, when read or when run; none does anything else."""
    model = Sequential(ag.Conv2(1, 2, 3, seed=0), Relu(), ag.MaxPool2(2), ag.Flatten(), Dense(18, 3, bias=True, seed=1))
    x, refused = Tensor.ones((2, 1, 8, 8)), 0
    export_onnx(model, x, path)
    content = path.read_bytes()
    for seed in range(count):
        path.write_bytes(damaged(content, np.random.default_rng(seed)))
        try:
            load_onnx(path)(x)
        except (AutographError, KrnlpyError):
            refused += 1
    return refused


def test_some_damaged_files(tmp_path: Path) -> None:
    assert try_damaged(tmp_path / "m", 30) > 10


@deep
def test_damaged_files(tmp_path: Path) -> None:
    assert try_damaged(tmp_path / "m", 2000) > 700
