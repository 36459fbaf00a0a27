"""From the IR to the GLSL of a Vulkan compute shader.

The shader reads the parameter block of ``layout.py`` as push constants or from a storage buffer, has one storage
buffer for each buffer parameter, and a last one if the kernel reports to the host. Group sizes are
specialization constants 0, 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from krnlpy.dsl import ir
from krnlpy.dsl.ir.layout import Layout, Variant, layout_of, scalar_field_type
from krnlpy.dsl.ir.reports import Reports
from krnlpy.dsl.passes.array_sizes import local_arrays
from krnlpy.features import Feature, Features
from krnlpy.scalar import ScalarType, boolean

from .context import GROUP_SIZE, SPLIT_BYTES, Context, GlslOptions
from .expressions import GROUP_THREADS, Expressions
from .places import Places
from .statements import Lines, Statements

_FIRST_SPEC_ID = 3
# Numbers of the SPIR-V specification, sections 3.6 and 3.31. Without the mode, compilers may replace 0 * x by 0.
_SIGNED_ZERO_INF_NAN_PRESERVE = (4461, 4466)


@dataclass(frozen=True)
class Shader:
    """A compute shader and what a backend needs to know of it.

    Attributes:
        source: GLSL 4.60; the entry point is ``main``.
        features: what a device must have.
        layout: of the parameter block. ``parameter_bytes``: of all of it, ``SPLIT_BYTES`` included.
        parameters: ``none``, or where the block lies: ``push`` constants or a read-only storage ``buffer``.
        buffer_bindings: for each buffer of the program its binding in set 0; parts of one memory may share one.
        binding_count: of storage buffers, in set 0: those of the program, then ``parameter_binding``, then
            ``report_binding`` (None where there is none), then that of the tables.
        tables: what the buffer of the tables holds; empty where there is none.
        spec_ids: ``constant_id`` of each specialization constant, and the type it is declared with.
        size_ids: ``constant_id`` of the group's size along x, y and z, where the device has its threads along x.
        retries: whether it has loops that try again while other threads are quicker.
        subgroup_words: 32-bit words of group memory for each slot of a thread in its subgroup.
        reports: how the report at the last binding is made and read.
        reads, writes: for each buffer of the program, whether the shader may read or write it.
    """

    source: str
    features: Features
    layout: Layout
    parameter_bytes: int
    parameters: Literal["none", "push", "buffer"]
    buffer_bindings: tuple[int, ...]
    binding_count: int
    parameter_binding: int | None
    report_binding: int | None
    tables: bytes
    spec_ids: Mapping[str, tuple[int, ScalarType]]
    size_ids: tuple[int, ...]
    retries: bool
    subgroup_words: int
    reads: tuple[bool, ...]
    writes: tuple[bool, ...]
    reports: Reports | None


def emit(program: ir.Program, variant: Variant, options: GlslOptions) -> Shader:
    """The compute shader of a program.

    Args:
        program: what it does.
        variant: what is known of the buffers it will be launched with.
        options: for which device, and whether for debugging.
    """
    layout = layout_of(program, variant)
    context = Context(program, variant, options, layout)
    # Lengths of arrays name no variables and load nothing, so that they can be written outside any function.
    parameter_bytes = layout.size + (SPLIT_BYTES if options.split else 0)
    in_buffer = parameter_bytes > options.max_parameter_bytes
    kept, loads = context.kept_fields() if in_buffer else ([], [])
    places = Places(context, lambda e: Expressions(context, places, {}).constant(e))
    code = Lines()
    for function in program.functions:
        _function(context, places, function, code)
    _kernel(context, places, code, loads)

    bindings = len(places.blocks)
    parameters: Literal["none", "push", "buffer"] = "none"
    if parameter_bytes:
        parameters = "buffer" if in_buffer else "push"
    parameter_binding = report_binding = None
    if parameters == "buffer":
        parameter_binding, bindings = bindings, bindings + 1
    reports = context.reporter.sites.reports()
    told: list[str] = []
    if reports is not None:
        report_binding, bindings = bindings, bindings + 1
        thread = "uvec3(item, 0u, 0u)" if program.items else context.ids["global_id"]
        told = context.reporter.declarations(report_binding, thread)
    tables: list[str] = []
    if program.constant_arrays:
        tables, bindings = [places.table_buffer(bindings)], bindings + 1

    declarations = [
        *_specs(context),
        *_parameter_block(context, layout, parameter_binding),
        *(_split_ids(context) if options.split else []),
        *(_flat_ids(context) if options.flat else []),
        *places.buffers(),
        *tables,
        *places.arrays(),
        *kept,
        *(["uint item;"] if program.items else []),
        *told,
    ]
    functions = "\n".join(filter(None, (context.reporter.functions, places.functions)))
    library = context.library.text(f"{functions}\n{code}")
    parts = [
        f"// {program.name}\n" + "\n".join(declarations) + "\n",
        library,
        context.subgroups.text,
        functions and ('#line 1 "accessors"\n' if library else "") + functions,
        str(code),
    ]
    modes = _execution_modes(context)
    extensions = "".join(f"#extension {name} : require\n" for name in sorted(context.extensions))
    source = "\n".join([f"#version 460\n{extensions}{modes}", *filter(None, parts)])
    return Shader(
        source=source,
        features=frozenset(context.features),
        layout=layout,
        parameter_bytes=parameter_bytes,
        parameters=parameters,
        buffer_bindings=tuple(n for b in program.buffers for n, block in enumerate(places.blocks) if b in block),
        binding_count=bindings,
        parameter_binding=parameter_binding,
        report_binding=report_binding,
        tables=places.tables.words,
        spec_ids={spec.name: (number, scalar_field_type(spec.type)) for spec, number in _spec_ids(program).items()},
        size_ids=_size_ids(program) if options.flat else (),
        retries=context.retries,
        subgroup_words=context.subgroups.words,
        reads=tuple(buffer in places.reads for buffer in program.buffers),
        writes=tuple(buffer in places.writes for buffer in program.buffers),
        reports=reports,
    )


def _execution_modes(context: Context) -> str:
    mode, capability = _SIGNED_ZERO_INF_NAN_PRESERVE
    needed = {32: Feature.FLOAT32_PRESERVE, 64: Feature.FLOAT64_PRESERVE}
    widths = [bits for bits in sorted(context.float_bits) if needed[bits] in context.options.float_preserve]
    if widths:
        context.extensions.add("GL_EXT_spirv_intrinsics")
        # Of two statements glslang keeps one: spirv.py makes one of each width.
        return f"spirv_execution_mode(capabilities = [{capability}], {mode}, {', '.join(map(str, widths))});\n"
    return ""


def _specs_in(*roots: ir.Expr | ir.Block) -> set[ir.SpecParameter]:
    return {node.parameter for root in roots for node in ir.walk(root) if isinstance(node, ir.SpecValue)}


def _specs_in_code(program: ir.Program) -> set[ir.SpecParameter]:
    return _specs_in(program.body, *(function.body for function in program.functions))


def _spec_ids(program: ir.Program) -> dict[ir.SpecParameter, int]:
    """The ``constant_id`` of each specialization constant that is used: the others need not even exist."""
    arrays = (*program.group_arrays, *local_arrays(program))
    used = _specs_in_code(program) | _specs_in(*(extent for array in arrays for extent in array.shape))
    return {spec: number for number, spec in enumerate(program.specs, _FIRST_SPEC_ID) if spec in used}


def _size_ids(program: ir.Program) -> tuple[int, ...]:
    """The ``constant_id`` of the group's size along each axis, where the device has another one."""
    first = _FIRST_SPEC_ID + len(program.specs)
    return first, first + 1, first + 2


def _specs(context: Context) -> list[str]:
    lines = ["layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;"]
    in_code = _specs_in_code(context.program)
    for spec, number in _spec_ids(context.program).items():
        kind, constant = scalar_field_type(spec.type), context.spec_constants[spec]
        type = context.type(kind)
        # The value is given when a pipeline is made; 1 fits wherever a length must be positive. Only plain numbers are
        # constants to GLSL.
        default = 1 if spec.default is None or not math.isfinite(spec.default) else spec.default
        literal = context.literal(int(default) if spec.type is boolean else default, kind)
        lines.append(f"layout(constant_id = {number}) const {type} {constant} = {literal};")
        if spec in in_code:
            lines.append(f"{type} {context.spec_names[spec]} = {constant};")
    if context.options.flat:
        sizes = {f"{GROUP_SIZE}_{axis}": number for axis, number in zip("xyz", _size_ids(context.program), strict=True)}
        lines += [f"layout(constant_id = {number}) const uint {name} = 1u;" for name, number in sizes.items()]
        lines.append(f"uvec3 {GROUP_SIZE} = uvec3({', '.join(sizes)});")
    elif context.reads_group_size:
        lines.append(f"uvec3 {GROUP_SIZE} = gl_WorkGroupSize;")
    return lines


def _parameter_block(context: Context, layout: Layout, binding: int | None) -> list[str]:
    if not layout.size and not context.options.split:
        return []
    where = (
        "layout(push_constant, std430) uniform Launch {"
        if binding is None
        else f"layout(std430, binding = {binding}) restrict readonly buffer Launch {{"
    )
    members = [
        f"    {context.type(field.type)} {name}{f'[{field.count}]' if field.count else ''};"
        for field, name in zip(layout.fields, context.members, strict=True)
    ]
    if context.options.split:
        first, all = context.split_members
        members += [f"    layout(offset = {layout.size}) uint {first}[3];", f"    uint {all}[3];"]
    return [where, *members, "} launch;"]


def _split_ids(context: Context) -> list[str]:
    first, all = (f"uvec3(launch.{m}[0], launch.{m}[1], launch.{m}[2])" for m in context.split_members)
    ids = context.ids
    whole = f"uvec3 {ids['global_id']} = {ids['group_id']} * gl_WorkGroupSize + gl_LocalInvocationID;"
    return [
        f"uvec3 {ids['groups']} = {all};",
        f"uvec3 {ids['group_id']} = {first} + gl_WorkGroupID;",
        *([] if context.options.flat else [whole]),
    ]


def _flat_ids(context: Context) -> list[str]:
    ids, size = context.ids, GROUP_SIZE
    place = "gl_LocalInvocationIndex"
    at = f"{place} % {size}.x, {place} / {size}.x % {size}.y, {place} / ({size}.x * {size}.y)"
    return [
        f"uvec3 {ids['thread_id']} = uvec3({at});",
        f"uvec3 {ids['global_id']} = {ids['group_id']} * {size} + {ids['thread_id']};",
    ]


def _function(context: Context, places: Places, function: ir.Function, code: Lines) -> None:
    statements = Statements(context, places, code)
    parameters = [statements.parameter(p) for p in function.parameters]
    single = len(function.results) == 1
    if not single:
        parameters += [statements.result(type) for type in function.results]
    code.at(function.location)
    result = context.type(function.results[0]) if single else "void"
    code.add(f"{result} {context.function_names[function]}({', '.join(parameters)}) {{")
    with code.indented():
        for array in function.local_arrays:
            for line in places.clear_local(array):
                code.add(line)
        statements.body(function.body, function.parameters)
    code.add("}")
    code.add("")


def _kernel(context: Context, places: Places, code: Lines, loads: list[str]) -> None:
    program = context.program
    body = Lines()
    with body.indented():
        statements = Statements(context, places, body)
        statements.matrices(program)
        statements.body(program.body)
    local = [line for array in program.local_arrays for line in places.clear_local(array)]
    group = places.clear_group(GROUP_THREADS)
    code.at(program.location)
    if not program.items:
        prologue = [*loads, *context.subgroups.prologue(), *group, *local]
        code.add(f"void {'kernel_body' if context.options.watch else 'main'}() {{")
    else:
        prologue = [*places.item_addresses(), *local]
        code.add("void kernel_body() {")
    with code.indented():
        for line in prologue:
            code.add(line)
    code.splice(body)
    code.add("}")
    if program.items:
        code.add("")
        _item_loop(context, [*loads, *group], code)
    elif context.options.watch:
        code.add("")
        code.add("void main() {")
        with code.indented():
            code.add("kernel_body();")
            for line in context.reporter.last_loop(program.location, context.options.watch):
                code.add(line)
        code.add("}")


def _item_loop(context: Context, prologue: list[str], code: Lines) -> None:
    """Each thread does items a stride apart, so that any number of groups does all items."""
    items, groups, group = context.items_field("items"), context.ids["groups"], context.ids["group_id"]
    watch, where = context.options.watch, context.program.location
    last = context.reporter.last_loop(where, watch) if watch else []
    code.at(ir.Location("items", 1, 0, 0))
    code.add("void main() {")
    with code.indented():
        for line in (
            *prologue,
            f"uint threads = {GROUP_THREADS};",
            f"uint groups = {groups}.x * {groups}.y * {groups}.z;",
            f"uint row = {group}.z * {groups}.y + {group}.y;",
            f"uint group = row * {groups}.x + {group}.x;",
            "uint stride = groups * threads;",
            # Not gl_LocalInvocationIndex: llvmpipe sees from x alone that neighbours take neighbouring items, and then
            # loads and stores them together, in less than two thirds of the time.
            "uint line = gl_LocalInvocationID.z * gl_WorkGroupSize.y + gl_LocalInvocationID.y;",
            "item = group * threads + line * gl_WorkGroupSize.x + gl_LocalInvocationID.x;",
            f"while (item < {items}) {{",
            "    kernel_body();",
            f"    if ({items} - item <= stride) break;  // item + stride could wrap",
            "    item += stride;",
            "}",
            *last,
        ):
            code.add(line)
    code.add("}")


__all__ = ["SPLIT_BYTES", "GlslOptions", "Shader", "emit"]
