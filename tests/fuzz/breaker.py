"""Breaks well-typed programs and launches: each must still work, and alike everywhere, or raise an error of ours.

One thread runs them, so that nothing that was broken can race.
"""

from __future__ import annotations

import ast
import copy
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from krnlpy import CompileError, Device, KernelError, KernelIndexError, KrnlpyError
from krnlpy.errors import SourceError

from .case import FILE, HEADER, Case
from .kinds import Draw
from .launches import break_launch
from .program import draw
from .run import TooLong, check, judge, time_limit

EXPRESSIONS = (
    "lambda x: x", "[1, 2]", "[i for i in range(3)]", "{1: 2}", "{1, 2}", "(i for i in range(3))", "'text'", "b'bytes'",
    "f'{me}'", "1j", "...", "None", "10**40", "-10**40", "1e400", "1e39", "2**31", "-2**63 - 1", "True", "()", "(1,)",
    "(1, 2)", "nothing", "print", "math", "math.nothing", "np.sin", "f32", "Item", "kernel", "global_id", "i32()",
    "i32(1, 2)", "f32('x')", "u8(None)", "me[0]", "me.x", "me()", "*me", "o0", "o0[0:2]", "o0[...]", "o0[None]",
    "o0[1.5]", "o0[True]", "o0[()]", "o0[0, 0, 0, 0]", "o0.shape[9]", "o0.T", "len(1)", "len(o0)", "range(3)", "min()",
    "max(1)", "abs()", "abs(1, 2)", "sqrt(1)", "sqrt(me)", "me @ me", "me is me", "me in o0", "not o0", "-o0", "o0 + 1",
    "1 // 0", "1 % 0", "1 / 0", "0 ** -1", "2 ** -1", "1 << -1", "1 << 1000", "me ** me", "me ** -1", "me << 1.5",
    "i8(300)", "u8(-1)", "(yield)", "(await me)", "(x := 1)", "(o0 := 1)", "sum([1])", "int('3')", "float('x')",
    "isinstance(me, int)", "fma(1, 2)", "global_id(3)", "global_id(me)", "item_id(1)", "thread_id(axis=0)",
    "local_array(f32, 4)", "barrier()", "unroll(range(3))", "subgroup_add(True)", "o0[0][0]", "1 if me else 1.5",
    "(1, 2)[me]", "(1, 2)[5]", "__name__", "__import__('os')", "eval('1')", "f0", "f0()", "f0(1, 2, 3, 4, 5)",
    "f0(*o0)", "f0(**{})", "vec3(1, 2)", "vec3(1.0, 2.0, 3.0)", "vec2(1.0, 2.0).z", "mat2()", "u64(1) + i64(1)",
    "np.float32(1)", "np.array([1])", "np.int64(2**63 - 1)", "0xFFFFFFFFFFFFFFFFFF", "inf", "INF", "NAN", "-NAN",
    "int(INF)", "i32(NAN)", "bool(NAN)", "~1.5", "~True", "-True", "+me", "me < 'a'", "1 < 2 < me", "dataclass",
)  # fmt: skip

STATEMENTS = (
    "x: i32", "me: f32 = 1", "def inner(): pass", "class Inner: pass", "import os", "from os import path", "global me",
    "nonlocal me", "del me", "raise ValueError", "assert me", "assert me, 'text'", "with me: pass",
    "try:\n    pass\nfinally:\n    pass",
    "match me:\n    case 1: pass", "return 1", "return", "yield 1", "for x in o0: pass", "for x in range(): pass",
    "for x in range(1, 2, 3, 4): pass", "for x in range(1, 2, 0): pass", "for x, y in range(3): pass",
    "for o0[0] in range(3): pass", "for x in range(1.5): pass", "for me in range(3): pass", "break", "continue",
    "while False: break", "a, b = 1", "a, b = 1, 2, 3", "a, *b = 1, 2, 3", "[a, b] = 1, 2", "o0 = 1", "o0.x = 1",
    "o0[0] = 'x'", "o0[0] = o0", "me += o0", "me @= 1", "nothing += 1", "me = me = me", "print(me)", "me", "1",
    "local_array(f32, 4)", "x = local_array(f32, 0)", "x = local_array(f32, -1)", "x = local_array(f32, 2**40)",
    "x = local_array(f32, (1, 2, 3, 4))", "x = local_array(f32, me)", "x = local_array(4, f32)",
    "x = local_array('f32', 4)",
    "x = local_array(f32)", "x = group_array(f32, 2**30)", "x = y = local_array(f32, 4)", "barrier(1)", "barrier",
    "if me: barrier()", "me = 1.5", "x = 1\nx = 1.5", "x = i32\ny = x(1)", "f0(1)", "async def inner(): pass",
    "for x in unroll(range(me)): pass", "for x in unroll(range(10**9)): pass", "for x in unroll(range(2)): x = 1",
    "x = " + "+".join(["me"] * 600), "x = " + "(" * 60 + "me" + ")" * 60, "x = " + "-" * 400 + "me",
    "x = me" + " if me else 1" * 200, "type X = int", "for x in unroll((1, 2.5)): y = x", "while me: pass\nelse: x = 1",
    "x = y = z = me", "(a, b), c = (1, 2), 3", "x = *o0, 1", "if 'text': pass", "while None: pass", "if o0: pass",
)  # fmt: skip

ANNOTATIONS = (
    "int", "float", "str", "'f32'", "Item", "Item[int]", "Item[f32, 2]", "Global[f32, 0]", "Global[f32, 99]",
    "Global[bool]",
    "Global[f32, 'x']", "Spec[f32, 1]", "Spec", "Out", "Out[f32, 2]", "None", "list[f32]", "nothing", "1",
    "GlobalMut[f64, 1]",
    "Item[Item[f32]]", "TypeVar", "f16", "bool", "vec3", "Item[vec3]", "Global[vec2]",
)  # fmt: skip


class Breaker:
    """Breaks the syntax tree of a program."""

    def __init__(self, random: Draw) -> None:
        self.random = random

    def broken(self, source: str) -> str | None:
        """The source with one to three things changed; None where Python itself refuses it."""
        try:
            tree = ast.parse(source)
            for _ in range(self.random.choice((1, 1, 1, 2, 3))):
                name = self.random.choice(
                    ("replace", "replace", "insert", "insert", "delete", "swap", "annotation", "name", "type",
                    "signature",
                     "operator", "index", "decorator", "constant")
                )  # fmt: skip
                getattr(self, f"_{name}")(tree)
            text = ast.unparse(ast.fix_missing_locations(tree))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(f"{HEADER}\n{text}", FILE, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
            return None
        return text

    def _nodes(self, tree: ast.Module, kind: type | tuple[type, ...]) -> list[ast.AST]:
        functions = [f for f in tree.body if isinstance(f, ast.FunctionDef)]
        return [n for f in functions for s in f.body for n in ast.walk(s) if isinstance(n, kind)]

    def _expressions(self, tree: ast.Module) -> list[tuple[ast.AST, str, int | None]]:
        """Where expressions stand that are read."""
        places: list[tuple[ast.AST, str, int | None]] = []
        for node in self._nodes(tree, ast.AST):
            for field, value in ast.iter_fields(node):
                for at, child in enumerate(value if isinstance(value, list) else [value]):
                    if isinstance(child, ast.expr) and isinstance(getattr(child, "ctx", ast.Load()), ast.Load):
                        places.append((node, field, at if isinstance(value, list) else None))
        return places

    def _put(self, place: tuple[ast.AST, str, int | None], by: ast.expr) -> ast.expr:
        node, field, at = place
        value = getattr(node, field)
        old: ast.expr = value if at is None else value[at]
        if at is None:
            setattr(node, field, by)
            return old
        value[at] = by
        return old

    def _replace(self, tree: ast.Module) -> None:
        place = self.random.choice(self._expressions(tree))
        self._put(place, ast.parse(self.random.choice(EXPRESSIONS), mode="eval").body)

    def _swap(self, tree: ast.Module) -> None:
        """Another expression of the program, most likely of another type."""
        node, field, at = self.random.choice(self._expressions(tree))
        value = getattr(node, field)
        self._put(self.random.choice(self._expressions(tree)), copy.deepcopy(value if at is None else value[at]))

    def _blocks(self, tree: ast.Module) -> list[list[ast.stmt]]:
        functions = [f for f in tree.body if isinstance(f, ast.FunctionDef)]
        nodes = [n for f in functions for n in ast.walk(f)]
        return [b for n in nodes for f in ("body", "orelse") if isinstance(b := getattr(n, f, None), list) and b]

    def _insert(self, tree: ast.Module) -> None:
        block = self.random.choice(self._blocks(tree))
        at = self.random.randint(0, len(block))
        block[at:at] = ast.parse(self.random.choice(STATEMENTS)).body

    def _delete(self, tree: ast.Module) -> None:
        block = self.random.choice(self._blocks(tree))
        del block[self.random.randrange(len(block))]
        if not block:
            block.append(ast.Pass())

    def _parameters(self, tree: ast.Module) -> list[ast.arg]:
        return [a for f in tree.body if isinstance(f, ast.FunctionDef) for a in f.args.args]

    def _annotation(self, tree: ast.Module) -> None:
        argument = self.random.choice(self._parameters(tree))
        text = self.random.choice(ANNOTATIONS)
        argument.annotation = None if self.random.chance(0.1) else ast.parse(text, mode="eval").body

    def _name(self, tree: ast.Module) -> None:
        names = [n for n in self._nodes(tree, ast.Name) if isinstance(n, ast.Name)]
        self.random.choice(names).id = self.random.choice(names).id

    def _type(self, tree: ast.Module) -> None:
        types = ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "f16", "bf16", "bool", "int", "float", "str"]
        names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in types]
        if names:
            self.random.choice(names).id = self.random.choice(types)

    def _signature(self, tree: ast.Module) -> None:
        function = self.random.choice([f for f in tree.body if isinstance(f, ast.FunctionDef)])
        arguments = function.args
        choice = self.random.randrange(7)
        if choice == 0:
            arguments.vararg = ast.arg("rest")
        elif choice == 1:
            arguments.kwarg = ast.arg("rest")
        elif choice == 2:
            arguments.kwonlyargs, arguments.kw_defaults = [ast.arg("only")], [None]
        elif choice == 3 and arguments.args:
            arguments.posonlyargs = [arguments.args.pop(0)]
        elif choice == 4 and arguments.args:
            arguments.defaults = [ast.parse(self.random.choice(EXPRESSIONS[:30]), mode="eval").body]
        elif choice == 5 and arguments.args:
            del arguments.args[self.random.randrange(len(arguments.args))]
            arguments.defaults = []
        else:
            function.returns = ast.Name("f32", ast.Load())

    def _operator(self, tree: ast.Module) -> None:
        nodes = self._nodes(tree, (ast.BinOp, ast.AugAssign))
        operators = (ast.Add, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.LShift, ast.BitXor, ast.MatMult)
        if nodes:
            setattr(self.random.choice(nodes), "op", self.random.choice(operators)())  # noqa: B010

    def _index(self, tree: ast.Module) -> None:
        nodes = [n for n in self._nodes(tree, ast.Subscript) if isinstance(n, ast.Subscript)]
        if nodes:
            texts = (
                "0, 0",
                "-1",
                "1.5",
                "99",
                "-99",
                "0:1",
                "me, me, me",
                "()",
                "True",
                "'x'",
                "2**40",
                "o0",
                "...",
                "None",
            )
            self.random.choice(nodes).slice = ast.parse(self.random.choice(texts), mode="eval").body

    def _decorator(self, tree: ast.Module) -> None:
        function = self.random.choice([f for f in tree.body if isinstance(f, ast.FunctionDef)])
        texts = ("kernel(threads=0)", "kernel(threads=(1, 2, 3, 4))", "kernel(threads='x')", "kernel(threads=1.5)",
                 "func",
                 "kernel(threads=10**9)", "kernel(threads=())", "kernel(threads=-1)", "kernel")  # fmt: skip
        function.decorator_list = [ast.parse(self.random.choice(texts), mode="eval").body]

    def _constant(self, tree: ast.Module) -> None:
        nodes = [n for n in self._nodes(tree, ast.Constant) if isinstance(n, ast.Constant)]
        values = (0, -1, 1.5, 2**31, 2**63, 2**64, 1e39, True, None, "x", 1j, 10**30, float("inf"), b"x", ...)
        self.random.choice(nodes).value = self.random.choice(values)


def survey(seed: int, devices: list[Device], counts: Counter[str]) -> Iterator[str]:
    """Breaks the program of a seed, and its launch; what comes out that is not ours is said."""
    random = Draw(f"broken {seed}")
    whole = draw(seed, wide=False)
    alone = replace(whole, threads=(1,), groups=(1,), debug=False)
    for _ in range(4):
        source = Breaker(random).broken(whole.source)
        if source is None:
            counts["refused by Python"] += 1
            continue
        counts["broken programs"] += 1
        found = outcome(alone.with_source(source), devices, counts)
        if found is not None:
            yield f"seed {seed}: {found}\n{source}"
    for _ in range(3):
        counts["broken launches"] += 1
        found = break_launch(whole, random, devices)
        if found is not None:
            yield f"seed {seed}: {found}\n{whole.text}"


def outcome(case: Case, devices: list[Device], counts: Counter[str]) -> str | None:
    """What is wrong with how a broken program is taken, if anything."""
    try:
        with warnings.catch_warnings(), time_limit(20):
            warnings.simplefilter("error")
            kernel = case.load()
    except (KernelError, KrnlpyError) as error:
        return _accusation(error)
    except TooLong:
        return "takes too long to be read"
    except Exception as error:
        # Annotations and decorators are Python's to evaluate.
        ours = [f for f in _files(error) if "krnlpy/krnlpy" in f or "/krnlpy/dsl" in f or "/krnlpy/kernel" in f]
        return f"{type(error).__name__} escapes: {error}" if ours else None
    try:
        want = judge(case, kernel, 5)
    except KernelIndexError:
        return None
    except KrnlpyError as error:
        counts["refused by us"] += 1
        return _accusation(error)
    except TooLong:
        counts["do not end"] += 1
        return None
    except Exception as error:
        return f"{type(error).__name__} escapes: {error}\nin {_files(error)[-3:]}"
    counts["still work"] += 1
    for device in devices:
        fault = check(case, kernel, device, want)
        if fault is None or fault.what in ("MissingFeatures", "LimitExceeded"):
            continue
        # Items run on all cores, so what was broken may race; drivers fold zeros that are seen while compiling.
        if fault.what == "differs" and ("item_id()" in case.source or device.info.kind != "host"):
            continue
        return str(fault)
    return None


def _accusation(error: KrnlpyError) -> str | None:
    """What is wrong with an error of ours, if anything."""
    if isinstance(error, CompileError):
        return f"an internal error: {error}"
    if isinstance(error, SourceError) and (error.file != FILE or error.line < 1 or not str(error)):
        return f"an error at {error.file}:{error.line}: {error}"
    return None


def _files(error: BaseException) -> list[str]:
    files, traceback = [], error.__traceback__
    while traceback is not None:
        files.append(f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return files
