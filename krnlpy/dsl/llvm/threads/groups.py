"""Groups of threads as loops: a stretch between two synchronizations becomes a loop over the group's threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from krnlpy.dsl import ir
from krnlpy.dsl.llvm.builder import ACCESS_GROUP, Builder, literal
from krnlpy.dsl.llvm.context import Array, Context, IdKey, memory_type
from krnlpy.dsl.llvm.polls import BudgetCharges, charge
from krnlpy.dsl.llvm.statements import RangeLoop, Statements, element_count, row_major, zero
from krnlpy.dsl.passes import parallel_regions as regions
from krnlpy.dsl.semantics.collectives import SUBGROUP_THREADS
from krnlpy.scalar import boolean

from .access_order import tolerates_reordering
from .lanes import Lanes, reads_one_lane
from .masks import Masks
from .strips import CountedLoop, Strips


class Scratch:
    """Memory that each worker keeps for the groups it runs, one after another."""

    def __init__(self, b: Builder) -> None:
        self._b = b
        self.size = 0

    def take(self, size: int) -> str:
        """The address of so many bytes, aligned to cache lines."""
        address = self._b.element("%scratch", str(self.size), 1)
        self.size += (size + 63) // 64 * 64
        return address


class GroupLoop:
    """Writes the loop over the groups of a range.

    Args:
        charges: what loops are charged.
        arguments: the values of the scalar parameters.
        globals: the buffers.
        sizes: ids that have one value in the launch.
    """

    def __init__(
        self,
        context: Context,
        b: Builder,
        charges: BudgetCharges,
        arguments: Mapping[ir.ScalarParameter, str],
        globals: Mapping[ir.Place, Array],
        sizes: Mapping[IdKey, str],
        threads: tuple[int, int, int],
    ) -> None:
        self._context, self._b, self._charges = context, b, charges
        self._arguments, self._globals = arguments, globals
        self._threads = threads
        self._count = element_count(threads)
        self._split = regions.split(context.program.body)
        self._scratch = Scratch(b)
        self._kept: dict[ir.Variable, str] = {}
        self._local: dict[ir.LocalArray, str] = {}
        self._loops: list[tuple[str, str]] = []
        self._group_ids = dict(sizes)
        self._group_end = ""
        self._lanes = context.program.subgroup_threads or SUBGROUP_THREADS
        self._slots = -(-self._count // self._lanes) * self._lanes
        self._masks = Masks(b, self._count)
        self._mask_memory: dict[regions.Node, tuple[str, str]] = {}

    def write(self) -> int:
        """Writes the loop over groups ``%begin`` to ``%end``; returns the bytes of scratch that it needs."""
        b, program = self._b, self._context.program
        crosses = not all(
            node is self._split.nodes[0] and isinstance(node, regions.Region) for node in self._split.nodes
        )
        for array in program.group_arrays:
            shape = self._context.shape(array)
            base = self._scratch.take(array.type.size * element_count(shape))
            self._globals = {
                **self._globals,
                array: Array(base, tuple(map(str, shape)), row_major(shape), ACCESS_GROUP),
            }
        for own in program.local_arrays if crosses else ():
            size = own.type.size * element_count(self._context.shape(own)) * self._count
            self._local[own] = self._scratch.take(size)
        if self._split.returns:
            self._returned = self._scratch.take(self._count)
            self._leader = b.alloca("i32")
            self._masks.push(self._returned)
        zeroed = self._scratch.size
        for variable in sorted(self._split.crossing, key=lambda v: v.name):
            self._kept[variable] = self._scratch.take(variable.type.size * self._slots)
        self._allocate_masks()
        self._uniform = {v: b.alloca(v.type.llvm) for v in self._split.uniform}
        with (
            Strips(b, "%begin", "%end", *self._charges.of_body(b, self._count)) as strip,
            CountedLoop(b, "i64", strip.start, strip.stop) as loop,
        ):
            self._group_end = loop.next_label
            self._enter_group(loop.index)
            if zeroed:
                zero(b, "%scratch", zeroed)
            if self._split.returns:
                b.store("i32", "0", self._leader)
            for variable, address in self._uniform.items():
                b.store(variable.type.llvm, literal(0, variable.type), address)
            self._nodes(self._split.nodes)
        return self._scratch.size

    def _enter_group(self, index: str) -> None:
        b = self._b
        ids = self._group_ids
        rest = b.op(f"trunc i64 {index} to i32")
        for axis in range(3):
            groups = ids["groups", axis]
            # Quotients of group counts: never zero.
            ids["group_id", axis] = b.op(f"urem i32 {rest}, {groups}") if axis < 2 else rest
            rest = b.op(f"udiv i32 {rest}, {groups}") if axis < 2 else rest

    def _allocate_masks(self) -> None:
        nodes = list(regions.all_nodes(self._split.nodes))
        for node in nodes:
            if isinstance(node, regions.Masked):
                self._mask_memory[node] = (self._scratch.take(self._count), self._scratch.take(self._count))
        self._values = self._active = self._present = ""
        if any(isinstance(node, regions.SyncPoint) for node in nodes):
            self._values = self._scratch.take(8 * self._slots)
            self._active, self._present = self._scratch.take(self._slots), self._scratch.take(self._slots)
            for flags in (self._active, self._present):
                zero(self._b, flags, self._slots)  # slots without a thread are never active
            with CountedLoop(self._b, "i64", "0", str(self._count)) as loop:
                self._b.store("i8", "1", self._b.element(self._present, loop.index, 1))

    # -- control flow of the group

    def _nodes(self, nodes: regions.Nodes) -> None:
        for node in nodes:
            match node:
                case regions.Region():
                    self._region(node)
                case regions.UniformIf():
                    self._if(node)
                case regions.UniformWhile():
                    self._while(node)
                case regions.UniformFor():
                    self._for(node)
                case regions.UniformJump():
                    self._b.branch(self._loops[-1][0 if node.leave else 1])
                case regions.SyncPoint():
                    self._collective(node.statement)
                case regions.MaskedIf():
                    self._masked_if(node)
                case regions.MaskedWhile() | regions.MaskedFor():
                    self._masked_loop(node)
            if not isinstance(node, regions.Region | regions.Masked) or self._is_masked:
                continue
            if self._split.returns and regions.has_return(node):
                self._elect_leader()

    def _if(self, node: regions.UniformIf) -> None:
        b = self._b
        then, otherwise, join = b.fresh("then"), b.fresh("else"), b.fresh("join")
        b.branch_if(self._decider([node.condition]).value(node.condition), then, otherwise)
        b.place(then)
        self._nodes(node.then)
        b.branch(join)
        b.place(otherwise)
        self._nodes(node.otherwise)
        b.place(join)

    def _while(self, node: regions.UniformWhile) -> None:
        b = self._b
        head, body, leave = b.fresh("while"), b.fresh("body"), b.fresh("leave")
        b.place(head)
        b.branch_if(self._decider([node.statement.condition]).value(node.statement.condition), body, leave)
        b.place(body)
        self._charge(node)
        self._loops.append((leave, head))
        self._nodes(node.body)
        self._loops.pop()
        b.branch(head)
        b.place(leave)

    def _charge(self, node: regions.UniformWhile | regions.MaskedWhile | regions.MaskedFor) -> None:
        """Polls, where an iteration of a loop of all threads begins."""
        once = self._charges.of_loop(node.statement).per_iteration
        charge(self._b, self._charges.per_iteration(self._b, once, self._count))

    def _for(self, node: regions.UniformFor) -> None:
        b, statement, variable = self._b, node.statement, node.statement.variable
        loop = RangeLoop(self._decider([statement.start, statement.stop, statement.step]), statement, self._count)
        loop.enter()
        if variable in self._uniform:
            b.store(variable.type.llvm, loop.current, self._uniform[variable])
        else:
            with CountedLoop(b, "i64", "0", str(self._count)) as threads:
                b.store(variable.type.llvm, loop.current, self._kept_element(variable, threads.index))
        self._loops.append((loop.leave_label, loop.next_label))
        self._nodes(node.body)
        self._loops.pop()
        loop.close()

    # -- control flow of single threads around synchronizations

    @property
    def _is_masked(self) -> bool:
        return self._masks.current not in (None, getattr(self, "_returned", None))

    def _masked_if(self, node: regions.MaskedIf) -> None:
        b, masks = self._b, self._masks
        for mask in self._mask_memory[node]:
            masks.clear(mask)
        then, otherwise = self._mask_memory[node]
        with self._each_thread() as (writer, position, next_label):
            yes, no = b.fresh("then"), b.fresh("else")
            self._load_variables(writer, regions.read_variables(node.condition), position)
            b.branch_if(writer.value(node.condition), yes, no)
            b.place(yes)
            masks.enable(then, position)
            b.branch(next_label)
            b.place(no)
            masks.enable(otherwise, position)
        for mask, nodes in ((then, node.then), (otherwise, node.otherwise)):
            if nodes:
                some, join = b.fresh("some"), b.fresh("join")
                masks.branch_if_none(mask, join, some)
                b.place(some)
                with masks.masked_by(mask):
                    self._nodes(nodes)
                b.place(join)

    def _masked_loop(self, node: regions.MaskedWhile | regions.MaskedFor) -> None:
        b, masks = self._b, self._masks
        mask, iteration = self._mask_memory[node]
        masks.start(mask)
        head, body, leave = b.fresh("masked"), b.fresh("body"), b.fresh("leave")
        if isinstance(node, regions.MaskedFor):
            self._start_masked_for(node)
        b.place(head)
        with masks.masked_by(mask):
            with self._each_thread() as (writer, position, next_label):
                goes = self._continues(node, writer, position)
                out = b.fresh("out")
                b.branch_if(goes, next_label, out)
                b.place(out)
                masks.disable(mask, position)
            masks.branch_if_none(mask, leave, body)
            b.place(body)
            self._charge(node)
            masks.start(iteration)
        with masks.loop(mask, iteration):
            self._nodes(node.body)
        b.branch(head)
        b.place(leave)

    def _start_masked_for(self, node: regions.MaskedFor) -> None:
        statement, t = node.statement, node.statement.variable.type.llvm
        with self._each_thread() as (writer, position, _):
            for bound in (statement.start, statement.stop, statement.step):
                self._load_variables(writer, regions.read_variables(bound), position)
            for variable, value in zip(
                (node.next, node.step, node.left), RangeLoop(writer, statement).by_count(), strict=True
            ):
                self._b.store(t, value, self._kept_element(variable, position), ACCESS_GROUP)

    def _continues(self, node: regions.MaskedWhile | regions.MaskedFor, writer: Statements, position: str) -> str:
        """Whether a thread makes another iteration (an i1); of a range, takes its next value."""
        b = self._b
        if isinstance(node, regions.MaskedWhile):
            self._load_variables(writer, regions.read_variables(node.statement.condition), position)
            return writer.value(node.statement.condition)
        t = node.statement.variable.type.llvm
        left, next_, step = (
            b.load(t, self._kept_element(v, position), ACCESS_GROUP) for v in (node.left, node.next, node.step)
        )
        goes = b.op(f"icmp ne {t} {left}, 0")
        some, join = b.fresh("some"), b.fresh("join")
        b.branch_if(goes, some, join)
        b.place(some)
        for variable, value in (
            (node.statement.variable, next_),
            (node.next, b.op(f"add {t} {next_}, {step}")),
            (node.left, b.op(f"sub {t} {left}, 1")),
        ):
            b.store(t, value, self._kept_element(variable, position), ACCESS_GROUP)
        b.place(join)
        return goes

    def _collective(self, s: ir.Collective) -> None:
        b = self._b
        if not s.targets:
            return
        mask = self._masks.current
        active = self._present if self._slots != self._count else None
        if mask is not None:
            active = self._active
            with CountedLoop(b, "i64", "0", str(self._count)) as loop:
                flag = b.load("i8", b.element(mask, loop.index, 1))
                b.store("i8", b.op(f"xor i8 {flag}, 1"), b.element(self._active, loop.index, 1))
        lanes = Lanes(b, self._lanes, self._values, active)
        for operand in s.operands[:1]:
            with self._each_thread() as (writer, position, _):
                self._load_variables(writer, regions.read_variables(operand), position)
                value = writer.value(operand)
                if operand.type is boolean:
                    value = b.op(f"zext i1 {value} to i8")
                at = b.element(self._values, position, operand.type.size)
                b.store(memory_type(operand.type), value, at, ACCESS_GROUP)
        if reads_one_lane(s):
            target, place = s.targets[0], s.operands[1]
            with self._each_thread() as (writer, position, _):
                self._load_variables(writer, regions.read_variables(place), position)
                lane = writer.ids["subgroup_thread_id", 0]
                value = lanes.read(s, target.type, lane, writer.value(place), position)
                b.store(memory_type(target.type), value, self._kept_element(target, position), ACCESS_GROUP)
            return
        with CountedLoop(b, "i64", "0", str(self._slots // self._lanes)) as subgroups:
            first = b.op(f"mul i64 {subgroups.index}, {self._lanes}")
            for target, result in zip(s.targets, lanes.results(s, first), strict=True):
                lanes.store(target.type, self._kept[target], first, result)

    def _decider(self, exprs: Iterable[ir.Expr]) -> Statements:
        """Writes expressions as the first thread that has not returned computes them."""
        b = self._b
        leader = b.load("i32", self._leader) if self._split.returns else "0"
        x, y, _ = self._threads
        across = b.op(f"udiv i32 {leader}, {x}")
        coordinates = (
            b.op(f"urem i32 {leader}, {x}"),
            b.op(f"urem i32 {across}, {y}"),
            b.op(f"udiv i32 {across}, {y}"),
        )
        writer = self._thread(coordinates, leader)
        read: set[ir.Variable] = set()
        for expr in exprs:
            read |= regions.read_variables(expr)
        self._load_variables(writer, read, b.op(f"zext i32 {leader} to i64"))
        return writer

    # -- what threads do

    @contextmanager
    def _each_thread(self, block: ir.Block = ()) -> Iterator[tuple[Statements, str, str]]:
        """A loop over the threads that take this branch: a writer for what one does, its position in the group (i64),
        and the label of the next one."""
        b = self._b
        x, y, z = self._threads
        with CountedLoop(b, "i32", "0", str(z)) as planes, CountedLoop(b, "i32", "0", str(y)) as rows:
            above = b.op(f"mul nuw nsw i32 {planes.index}, {y}")
            row = b.op(f"mul nuw nsw i32 {b.op(f'add nuw nsw i32 {above}, {rows.index}')}, {x}")
            with CountedLoop(b, "i32", "0", str(x), parallel=tolerates_reordering(block)) as threads:
                linear = b.op(f"add nuw nsw i32 {row}, {threads.index}")
                position = b.op(f"zext i32 {linear} to i64")
                self._masks.skip(position, threads.next_label)
                yield self._thread((threads.index, rows.index, planes.index), linear), position, threads.next_label

    def _region(self, region: regions.Region) -> None:
        with self._each_thread(region.body) as (writer, position, next_label):
            self._region_thread(region, writer, position, next_label)

    def _region_thread(self, region: regions.Region, writer: Statements, position: str, next_label: str) -> None:
        b = self._b
        assigned = ir.assigned_variables(region.body)
        used = dict.fromkeys([*assigned, *sorted(regions.read_variables(region.body), key=lambda v: v.name)])
        outside = {*self._kept, *self._uniform, *self._split.recomputed}
        writer.declare(v for v in used if v not in outside)
        self._load_variables(writer, used, position)
        if not self._local:
            writer.declare_arrays(self._context.program.local_arrays)
        writer.return_label = b.fresh("return")
        jumps = {"break": b.fresh("break"), "continue": b.fresh("continue")} if self._masks.in_loop else {}
        kept = b.fresh("kept")
        writer.enter_loop(*(jumps.values() or (kept, kept)))
        writer.block(region.body)
        if self._loops or jumps:
            b.branch(kept)
            for how, label in jumps.items():
                b.place(label)
                self._masks.leave(how, position)
                b.branch(kept)
            b.place(kept)
        for variable in assigned:
            if variable in self._kept:
                value = b.load(variable.type.llvm, writer.variables[variable])
                b.store(variable.type.llvm, value, self._kept_element(variable, position), ACCESS_GROUP)
        if self._split.returns:
            b.branch(next_label)
            b.place(writer.return_label)
            self._masks.leave("return", position)
        else:
            b.place(writer.return_label)

    def _thread(self, coordinates: tuple[str, str, str], linear: str) -> Statements:
        """A writer of what one thread computes."""
        b = self._b
        writer = Statements(self._context, b, self._charges)
        writer.arguments.update(self._arguments)
        writer.arrays.update(self._globals)
        writer.ids.update(self._group_ids)
        for axis, thread in enumerate(coordinates):
            writer.ids["thread_id", axis] = thread
            first = b.op(f"mul nsw i32 {self._group_ids['group_id', axis]}, {self._threads[axis]}")
            writer.ids["global_id", axis] = b.op(f"add nsw i32 {first}, {thread}")
        writer.ids["subgroup_id", 0] = b.op(f"udiv i32 {linear}, {self._lanes}")
        writer.ids["subgroup_thread_id", 0] = b.op(f"urem i32 {linear}, {self._lanes}")
        for array, base in self._local.items():
            # Neighbouring threads' elements are neighbours, for the vectoriser.
            shape = self._context.shape(array)
            own = b.element(base, b.op(f"zext i32 {linear} to i64"), array.type.size)
            strides = tuple(str(int(s) * self._count) for s in row_major(shape))
            writer.arrays[array] = Array(own, tuple(map(str, shape)), strides, ACCESS_GROUP)
        return writer

    def _load_variables(self, writer: Statements, variables: Iterable[ir.Variable], position: str) -> None:
        """Gives a writer the variables that come from outside of its region."""
        b = self._b
        recomputed = self._split.recomputed
        needed = set(variables)
        for variable in reversed(list(recomputed)):
            if variable in needed:
                needed |= regions.read_variables(recomputed[variable])
        for variable, value in recomputed.items():
            if variable in needed:
                own = writer.variables[variable] = b.alloca(variable.type.llvm)
                b.store(variable.type.llvm, writer.value(value), own)
        for variable in variables:
            if variable in self._uniform:
                writer.variables[variable] = self._uniform[variable]
            elif variable in self._kept:
                t = variable.type.llvm
                own = writer.variables[variable] = b.alloca(t)
                b.store(t, b.load(t, self._kept_element(variable, position), ACCESS_GROUP), own)

    def _kept_element(self, variable: ir.Variable, position: str) -> str:
        return self._b.element(self._kept[variable], position, variable.type.size)

    def _elect_leader(self) -> None:
        """Finds the first thread that has not returned, or ends the group where all have."""
        b = self._b
        b.store("i32", "0", self._leader)
        head, test, step, found = b.fresh("elect"), b.fresh("test"), b.fresh("step"), b.fresh("found")
        b.place(head)
        leader = b.load("i32", self._leader)
        b.branch_if(b.op(f"icmp ult i32 {leader}, {self._count}"), test, self._group_end)
        b.place(test)
        flag = b.load("i8", b.element(self._returned, b.op(f"zext i32 {leader} to i64"), 1))
        b.branch_if(b.op(f"icmp eq i8 {flag}, 0"), found, step)
        b.place(step)
        b.store("i32", b.op(f"add i32 {leader}, 1"), self._leader)
        b.branch(head)
        b.place(found)
