"""What all tests share: the devices they run on, and clean validation."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import settings

from krnlpy import Device, config
from krnlpy.dsl.spirv import module as spirv
from krnlpy.dsl.spirv.tools import TARGET

from .support.counts import table
from .support.devices import device_parameters, selectors
from .support.programs import verify_programs
from .support.spirv_validator import Validator
from .support.tiers import in_part, part_of

# Every run draws the same examples. Newer versions of hypothesis have such a profile of that name themselves.
settings.register_profile("ci", derandomize=True, deadline=None, database=None)

verify_programs()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help="run tests on this device only: host, interpreter, an index, or a part of a name; may be repeated",
    )
    parser.addoption("--deep-part", metavar="K/N", help="of the deep tier, the K-th of N parts")
    parser.addoption("--counts", action="store_true", help="say at the end how many tests ran, by room and device")
    parser.addoption("--update-golden", action="store_true", help="rewrite the GLSL kept in tests/golden")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        found = selectors(metafunc.config.getoption("--device"))
        metafunc.parametrize("device", device_parameters(metafunc, found), indirect=True)


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Device:
    """Each device in turn: host, interpreter, every Vulkan device."""
    return Device(request.param)


validator = Validator()


@pytest.fixture(autouse=True, scope="session")
def valid_spirv() -> Iterator[None]:
    """Every module that is made in this process is validated, and fails the test that made it."""
    compile_shader = spirv.compile_shader

    def validated(source: str, name: str) -> bytes:
        module = compile_shader(source, name)
        validator(module, name)
        return module

    spirv.compile_shader = validated
    yield
    spirv.compile_shader = compile_shader


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if text := config.getoption("--deep-part"):
        chosen = in_part([item.nodeid for item in items], *part_of(text))
        config.hook.pytest_deselected(items=[item for item, kept in zip(items, chosen, strict=True) if not kept])
        items[:] = [item for item, kept in zip(items, chosen, strict=True) if kept]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What thousands of tests and their modules are made of is no garbage. It is not looked at: neither while it grows,
    which takes a third of the time, nor by the hundred tests that collect garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # one of several processes: born deaf to Ctrl-C, as its children would be
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if output := getattr(session.config, "workeroutput", None):  # one of several processes that share the tests
        output["valid_modules"] = [digest.hex() for digest in validator.valid]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    validator.valid.update(map(bytes.fromhex, getattr(node, "workeroutput", {}).get("valid_modules", [])))


def pytest_report_header(config: pytest.Config) -> str | None:
    text = config.getoption("--deep-part")
    return f"deep tier, part {text}; to run it again: make test-deep ARGS='--deep-part {text}'" if text else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--counts"):
        passed = (r for key in ("passed", "") for r in terminalreporter.stats.get(key, []) if hasattr(r, "duration"))
        terminalreporter.write_sep("=", "tests by room and device")
        for line in table(passed, [name for name, _ in selectors(config.getoption("--device"))]):
            terminalreporter.write_line(line)
    if not validator.available:
        terminalreporter.write_line("spirv-val is not installed: no SPIR-V was validated", yellow=True)
    elif validator.valid:
        terminalreporter.write_line(
            f"spirv-val --target-env {TARGET}: {len(validator.valid)} distinct modules, all valid"
        )


@pytest.fixture(autouse=True)
def clean_validation() -> Iterator[None]:
    """With ``KRNLPY_VALIDATE=1``, whatever the validation layer says fails the test that made it say so."""
    yield
    vulkan = sys.modules.get("krnlpy.vulkan")
    if not config.validate or vulkan is None:
        return
    for device in list(sys.modules["krnlpy.device"]._backends.values()):
        device.wait()  # what was queued is validated when it is submitted
    messages = vulkan.take_validation_messages()
    assert not messages, "\n".join(messages)
