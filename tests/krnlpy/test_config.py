"""Settings from the environment."""

from __future__ import annotations

import os

import pytest

from krnlpy import ConfigError, config


@pytest.mark.parametrize(("text", "expected"), [("3", 3), ("0", 5), ("", 5)])
def test_host_threads_without_affinity(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setenv("KRNLPY_HOST_THREADS", text)
    assert config._threads("KRNLPY_HOST_THREADS") == expected


@pytest.mark.parametrize("text", ["many", "-1", "1.5"])
def test_not_a_number_of_threads(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KRNLPY_HOST_THREADS", text)
    with pytest.raises(ConfigError, match=f"KRNLPY_HOST_THREADS={text}: expected a number"):
        config._threads("KRNLPY_HOST_THREADS")


@pytest.mark.parametrize(("text", "expected"), [("", 1000), ("0", 0), ("4096", 4096)])
def test_bytes(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    monkeypatch.setenv("KRNLPY_PRINT_BYTES", text)
    assert config._bytes("KRNLPY_PRINT_BYTES", 1000) == expected


@pytest.mark.parametrize("text", ["1M", "-1", "1e6", "5000000000"])
def test_not_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KRNLPY_PRINT_BYTES", text)
    with pytest.raises(ConfigError, match=f"KRNLPY_PRINT_BYTES={text}: expected a number of bytes"):
        config._bytes("KRNLPY_PRINT_BYTES", 1000)
