"""The harness's own logic, with contenders that only pretend to take time."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from llvmlite import binding

from benches import NAMES, __main__, environment, harness, report
from benches.harness import Case, CaseResult, Contender, Runner, Unavailable, VerificationError, run_case
from benches.selection import NUMPY, TORCH, Peer, Selection
from krnlpy.errors import MissingFeatures


class Fake(Runner):
    """Takes as long as it is told, and writes down what is asked of it."""

    def __init__(self, name: str, log: list[str], seconds: Callable[[], float], result: Any = 42) -> None:
        self.name, self.log, self.seconds, self.value = name, log, seconds, result
        self.counts: list[int] = []

    def result(self) -> Any:
        self.log.append(f"{self.name} verified")
        return self.value

    def run(self, iterations: int) -> None:
        raise AssertionError("the fake has its own sample()")

    def sample(self, iterations: int) -> float:
        self.log.append(self.name)
        self.counts.append(iterations)
        return iterations * self.seconds()

    def facts(self) -> Mapping[str, float]:
        return {"launches": 7}


def judge(result: Any) -> None:
    if result != 42:
        raise VerificationError(f"{result} instead of 42")


def contender(runner: Fake, peer: bool = False) -> Contender:
    return Contender(runner.name, "fake", lambda: runner, driver="fake 1.0", peer=peer)


def refusing(name: str, error: Exception, peer: bool = False) -> Contender:
    def refuse() -> Runner:
        raise error

    return Contender(name, "fake", refuse, peer=peer)


def case(*contenders: Contender, **options: Any) -> Case:
    return Case("work", {"size": 3}, contenders, judge, **options)


MACHINE: dict[str, Any] = {
    "cpu": "abacus",
    "llvm_cpu": "beads",
    "instructions": ["AVX2"],
    "cores": 4,
    "host_threads": 4,
    "load": 0.5,
    "system": "wood",
    "settings": {},
}
ABOUT = {"date": "2026-11-30T01:02:03+00:00", "machine": MACHINE, "versions": {"krnlpy": "0123456789"}}


def written(result: CaseResult) -> dict[str, Any]:
    """As on a machine that nobody else used."""
    return {**report.case_as_json(result), "others": 0.0}


def silent(_: str) -> None:
    pass


def steady(seconds: float) -> Callable[[], float]:
    return lambda: seconds


@pytest.fixture
def log() -> list[str]:
    return []


def test_everybody_is_verified_before_anything_is_timed(log: list[str]) -> None:
    fakes = [Fake(name, log, steady(0.5)) for name in "ab"]
    run_case(case(*map(contender, fakes)), 1.0, silent)
    assert log[:2] == ["a verified", "b verified"]
    assert not any("verified" in entry for entry in log[2:])


def test_contenders_take_turns(log: list[str]) -> None:
    fakes = [Fake(name, log, steady(0.5)) for name in "abc"]
    (a, b, c) = run_case(case(*map(contender, fakes)), 1.0, silent).measurements
    # Whoever needs 0.5 s needs one iteration a sample: each turn is one untimed and one timed sample of each.
    turns = log[-2 * 3 * len(a.samples) :]
    assert turns == ["a", "a", "b", "b", "c", "c"] * len(a.samples)
    assert len(a.samples) == len(b.samples) == len(c.samples) == harness.MIN_TURNS


def test_fast_contenders_are_sampled_until_the_time_is_spent(log: list[str]) -> None:
    fake = Fake("a", log, steady(0.001))
    (measurement,) = run_case(case(contender(fake)), 2.0, silent).measurements
    assert measurement.iterations * 0.001 == pytest.approx(harness.SAMPLE_SECONDS, rel=0.2)
    assert sum(measurement.samples) * measurement.iterations == pytest.approx(2.0, abs=0.2)
    assert measurement.median == pytest.approx(0.001)


def test_samples_have_no_more_iterations_than_the_case_allows(log: list[str]) -> None:
    fake = Fake("a", log, steady(1e-6))
    (measurement,) = run_case(case(contender(fake), max_iterations=32), 0.01, silent).measurements
    assert measurement.iterations == 32
    assert max(fake.counts) == 32


def test_a_wrong_result_stops_the_timing_of_all(log: list[str]) -> None:
    lines: list[str] = []
    right, wrong = Fake("right", log, steady(0.5)), Fake("wrong", log, steady(0.5), result=41)
    result = run_case(case(contender(wrong), contender(right)), 1.0, lines.append)
    assert log == ["wrong verified", "right verified"]
    assert result.measurements == ()
    assert result.wrong == (("wrong on fake", "41 instead of 42"),)
    assert lines == ["wrong: wrong on fake: 41 instead of 42", "not timed: results are wrong"]


@pytest.mark.parametrize("error", [Unavailable("not installed"), MissingFeatures("no float64")])
def test_who_cannot_run_is_skipped_with_a_line(log: list[str], error: Exception) -> None:
    lines: list[str] = []
    result = run_case(case(refusing("absent", error), contender(Fake("a", log, steady(0.5)))), 1.0, lines.append)
    assert result.skipped == (("absent on fake", str(error)),)
    assert lines == [f"skipped: absent on fake: {error}"]
    assert [m.contender.name for m in result.measurements] == ["a"]


def test_who_ends_on_the_way_is_skipped_with_a_line(log: list[str]) -> None:
    times = itertools.chain([0.5] * 4, [None])

    def seconds() -> float:
        if (time := next(times)) is None:
            raise Unavailable("its process has ended")
        return time

    ends, stays = Fake("ends", log, seconds), Fake("stays", log, steady(0.5))
    lines: list[str] = []
    result = run_case(case(contender(ends, peer=True), contender(stays)), 1.0, lines.append)
    assert result.skipped == (("ends on fake", "its process has ended"),)
    assert lines == ["skipped: ends on fake: its process has ended"]
    (measured,) = result.measurements
    assert measured.contender.name == "stays"
    assert len(measured.samples) >= harness.MIN_TURNS
    assert log.count("ends") == 5, "it is not asked again"


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_case(case(refusing("broken", ZeroDivisionError())), 1.0, silent)


def test_drift_cancels_in_the_ratio(log: list[str]) -> None:
    # The clock of this machine falls to half in the course of the run; a is always 3 times as slow as b. Of both,
    # warm-up, calibration and turns are the same calls, so that the n-th of each are neighbours in time.
    slow, fast = ((3.0 * 1.05**n for n in itertools.count()), (1.0 * 1.05**n for n in itertools.count()))
    a, b = Fake("a", log, lambda: next(slow)), Fake("b", log, lambda: next(fast))
    result = run_case(case(contender(a), contender(b, peer=True)), 1.0, silent)
    measured = {m.contender.name: m for m in result.measurements}
    assert measured["a"].samples[-1] > 1.3 * measured["a"].samples[0]
    assert measured["a"].median / measured["b"].median == pytest.approx(3.0)


def verdicts(result: CaseResult) -> dict[str, str]:
    found = written(result)
    return {m["label"]: report.verdict(found, m) for m in found["measurements"]}


def test_the_first_peer_that_runs_is_what_ratios_refer_to(log: list[str]) -> None:
    fakes = {name: Fake(name, log, steady(seconds)) for name, seconds in (("us", 1.0), ("p", 0.5), ("q", 0.25))}
    peers = [refusing("absent", Unavailable("x"), peer=True), *(contender(fakes[name], peer=True) for name in "pq")]
    result = run_case(case(contender(fakes["us"]), *peers), 1.0, silent)
    assert verdicts(result) == {"us on fake": "2.00x slower", "p on fake": "", "q on fake": "2.00x faster"}


def test_the_fastest_way_of_a_peer_is_what_ratios_refer_to(log: list[str]) -> None:
    def way(name: str, seconds: float) -> Contender:
        return Contender("p", "fake", lambda: Fake("p", log, steady(seconds)), peer=True, way=name)

    broken = Contender("p", "fake", refusing("p", Unavailable("no compiler")).open, peer=True, way="compile")
    ours, other = Fake("us", log, steady(0.6)), Fake("other", log, steady(0.1))
    contenders = [way("eager", 1.0), broken, way("laid out", 0.3), contender(other, peer=True), contender(ours)]
    result = run_case(case(*contenders), 1.0, silent)
    assert result.skipped == (("p (compile) on fake", "no compiler"),)
    found = written(result)
    assert found["baseline"] == "p (laid out) on fake"
    assert [m["way"] for m in found["measurements"]] == ["eager", "laid out", "", ""]
    assert verdicts(result) == {
        "p (eager) on fake": "3.33x slower",
        "p (laid out) on fake": "",
        "other on fake": "3.00x faster",
        "us on fake": "2.00x slower",
    }
    table = report.table(MACHINE, found)
    assert "beside p (laid out) on fake" in table.splitlines()[1]
    assert "p (eager)" in table.splitlines()[2]


def test_no_ratio_without_a_peer(log: list[str]) -> None:
    result = run_case(case(contender(Fake("a", log, steady(0.5)))), 1.0, silent)
    assert result.baseline is None
    assert verdicts(result) == {"a on fake": ""}
    assert "beside" not in report.table(MACHINE, written(result))


def test_times_that_overlap_are_as_fast(log: list[str]) -> None:
    # One sample in five is an outlier, which the quartiles leave out; calibration takes the first two.
    a = itertools.chain([1.0] * 2, itertools.cycle([1.0, 1.1, 1.2, 1.3, 9.0]))
    b = itertools.chain([1.0] * 2, itertools.cycle([1.05, 1.15, 1.25, 1.35, 0.1]))
    peer = Fake("peer", log, lambda: next(b))
    result = run_case(case(contender(peer, peer=True), contender(Fake("us", log, lambda: next(a)))), 1.0, silent)
    ours = result.measurements[1]
    assert ours.quartiles == pytest.approx((1.1, 1.3))
    assert (ours.minimum, ours.median) == (1.0, 1.2)
    assert verdicts(result)["us on fake"] == "as fast"


@pytest.mark.parametrize("seconds", [0.0123456, 0.477, 0.00412206, 1.5364, 2.5e-6, 0.9996e-3])
def test_ratios_are_those_of_the_times_shown(seconds: float) -> None:
    units = {"s": 1.0, "ms": 1e-3, "µs": 1e-6}

    def read(text: str) -> float:
        number, unit = text.split()
        return float(number) * units[unit]

    baseline = 0.00356789
    measurements = [{"label": name, "median": t, "quartiles": (t, t)} for name, t in (("p", baseline), ("us", seconds))]
    words = report.verdict({"baseline": "p", "measurements": measurements}, measurements[1])
    assert words == report.in_words(read(report.duration(seconds)) / read(report.duration(baseline)))


@pytest.fixture
def result(log: list[str]) -> CaseResult:
    ours, theirs = Fake("ours", log, steady(0.5)), Fake("theirs", log, steady(1.0))
    absent = refusing("absent", Unavailable("not installed"), peer=True)
    return run_case(case(contender(ours), contender(theirs, peer=True), absent, amount=3, unit="GB"), 1.0, silent)


def test_table(result: CaseResult) -> None:
    lines = [" ".join(line.split()) for line in report.table(MACHINE, written(result)).splitlines()]
    assert lines[:5] == [
        "work (size 3)",
        "device median quartiles minimum GB/s beside theirs on fake",
        "ours fake 500 ms 500 ms - 500 ms 500 ms 6.00 2.00x faster",
        "theirs fake 1 s 1 s - 1 s 1 s 3.00",
        "ours on fake, an iteration: 7 launches",
    ]


def test_json(result: CaseResult, tmp_path: Any) -> None:
    path = tmp_path / "new" / "report.json"
    report.write_json(path, report.as_json("fake", environment.describe(), [written(result)]))
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]  # nothing temporary stays
    read = json.loads(path.read_text())
    assert read["benchmark"] == "fake"
    assert read["date"].endswith("+00:00")
    assert read["machine"].keys() == MACHINE.keys()
    assert {"python", "numpy", "krnlpy", "llvmlite"} <= read["versions"].keys()
    (found,) = read["cases"]
    assert (found["name"], found["configuration"]) == ("work", {"size": 3})
    assert (found["baseline"], found["others"]) == ("theirs on fake", 0.0)
    assert found["skipped"] == [{"label": "absent on fake", "why": "not installed"}]
    ours, theirs = found["measurements"]
    assert ours == {
        "label": "ours on fake",
        "name": "ours",
        "way": "",
        "device": "fake",
        "driver": "fake 1.0",
        "peer": False,
        "median": 0.5,
        "minimum": 0.5,
        "quartiles": [0.5, 0.5],
        "iterations": 1,
        "samples": [0.5] * harness.MIN_TURNS,
        "facts": {"launches": 7},
    }
    assert theirs["peer"]


def test_markdown(result: CaseResult) -> None:
    lines = report.markdown(json.loads(json.dumps(report.as_json("fake", ABOUT, [written(result)])))).splitlines()
    assert lines[0] == "2026-11-30, abacus (AVX2), 4 cores; krnlpy 0123456789."
    assert lines[2:] == [
        "### work (size 3)",
        "",
        "| | device | median | GB/s | beside theirs on fake |",
        "|---|---|---:|---:|---|",
        "| ours | fake | 500 ms | 6.00 | 2.00x faster |",
        "| theirs | fake | 1 s | 3.00 |  |",
    ]


def test_there_is_no_verdict_where_the_machine_was_busy(result: CaseResult) -> None:
    quiet, disturbed = written(result), {**written(result), "others": 0.7}
    loaded = {**MACHINE, "load": 2.5}
    assert report.busy(MACHINE) == report.busy(MACHINE, quiet) == ""
    assert "faster" in report.table(MACHINE, quiet)
    for machine, one, reason in (
        (loaded, quiet, "before the start (load 2.5 on 4 cores)"),
        (MACHINE, disturbed, "during work (others took 0.70 of 4 cores)"),
    ):
        page = report.markdown(report.as_json("fake", {**ABOUT, "machine": machine}, [one]))
        for text in (page, report.table(machine, one)):
            assert f"The machine was busy {reason}" in text
            assert "there is no verdict" in text
            assert "500 ms" in text
            assert "faster" not in text and "beside" not in text


def test_code_that_was_not_committed_is_told_of(result: CaseResult) -> None:
    dirty = {**ABOUT, "versions": {"krnlpy": "0123456789+"}}
    text = "Measured of code that was not committed (0123456789+)."
    assert text in report.markdown(report.as_json("fake", dirty, [written(result)]))
    assert text not in report.markdown(report.as_json("fake", ABOUT, [written(result)]))


def test_changes_of_code_are_noticed_and_those_of_results_are_not(tmp_path: Path, monkeypatch: Any) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    paths = [tmp_path / name for name in ("benches/environment.py", "benches/results/fake.json", "README.md")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "all")
    monkeypatch.setattr(environment, "__file__", str(paths[0]))
    clean = environment.versions()["krnlpy"]
    assert re.fullmatch("[0-9a-f]{10}", clean)
    for path in paths[1:]:
        path.write_text("2")
    assert environment.versions()["krnlpy"] == clean
    paths[0].write_text("2")
    assert environment.versions()["krnlpy"] == f"{clean}+"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.0, "12 s"), (0.99949, "999 ms"), (0.0123456, "12.3 ms"), (2.5e-6, "2.5 µs"), (3e-9, "0.003 µs")],
)
def test_durations(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_a_package_that_is_not_installed_is_an_unavailable_peer() -> None:
    selection = Selection((), (Peer("absent", "no_such_package_anywhere"),))
    (peer,) = selection.contenders(
        "ours", lambda device: Fake("a", [], steady(1.0)), lambda peer: pytest.fail("opened")
    )
    with pytest.raises(Unavailable, match="no_such_package_anywhere is not installed"):
        peer.open()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "no such device anywhere"], "no such device anywhere"),
        (["--peer", "jax"], "no peer 'jax' in this benchmark; there are: numpy"),
    ],
)
def test_what_is_not_there_is_an_error(arguments: list[str], message: str, capsys: Any) -> None:
    assert __main__.main(["run", "imports", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_status_tells_of_wrong_results(monkeypatch: Any, log: list[str], tmp_path: Any, capsys: Any) -> None:
    from benches import imports

    for value, status in ((42, 0), (41, 1)):
        fake = contender(Fake("a", log, steady(0.5), result=value))
        monkeypatch.setattr(imports, "cases", lambda selection, fake=fake: iter([case(fake)]))
        path = tmp_path / f"{value}.json"
        assert __main__.main(["run", "imports", "--device", "--json", str(path)]) == status
        assert bool(json.loads(path.read_text())["cases"][0]["wrong"]) == bool(status)
    assert "wrong: a on fake: 41 instead of 42" in capsys.readouterr().out


def test_reports_in_a_folder_are_named_after_benchmark_and_kind_of_machine(
    monkeypatch: Any, log: list[str], tmp_path: Any, capsys: Any
) -> None:
    from benches import fill, imports

    fake = contender(Fake("a", log, steady(0.5)))
    for module in (fill, imports):
        monkeypatch.setattr(module, "cases", lambda selection: iter([case(fake)]))
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: {"avx2": True})
    command = ["run", "fill", "imports", "--device", "--json"]
    assert __main__.main([*command, str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fill-avx2.json", "imports-avx2.json"]
    # Taken once, before the first: what it keeps busy is not blamed on others.
    first, second = (json.loads(path.read_text()) for path in tmp_path.iterdir())
    assert (first["machine"], first["date"]) == (second["machine"], second["date"])
    assert __main__.main([*command, str(tmp_path / "one.json")]) == 2
    assert "is no folder: several benchmarks write a file each" in capsys.readouterr().err


def test_list_names_every_benchmark(capsys: Any) -> None:
    assert __main__.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    modules = {p.stem for p in Path(__main__.__file__).parent.glob("*.py") if "def cases(" in p.read_text()}
    assert modules == set(NAMES)
    assert all("Peers: " in line for line in lines)


def test_peers_of_a_package_take_part_in_each_way() -> None:
    found = Selection((), (NUMPY, TORCH)).in_ways("torch", ("eager", "compile"))
    contenders = found.contenders("ours", lambda device: pytest.fail(), lambda peer: pytest.fail())
    assert [c.label for c in contenders] == ["numpy on host", "torch (eager) on host", "torch (compile) on host"]


def test_peers_are_chosen_by_name() -> None:
    assert __main__._peers((NUMPY, TORCH), None) == (NUMPY, TORCH)
    assert __main__._peers((NUMPY, TORCH), ["torch"]) == (TORCH,)
    assert __main__._peers((NUMPY, TORCH), []) == ()
