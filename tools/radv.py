"""What Mesa's compiler for AMD's GPUs (RADV) makes of kernels, whether there is such a GPU or not: no kernel runs.

    python tools/radv.py [--family navi31] [--text NAME] [MODULE:KERNEL ... | PACKAGE]
    python tools/radv.py --table [--print]

The first prints a line for each kernel that a package ships (autograph, if not given), or for kernels by name, which
are compiled as their annotations say; with ``--json`` all that is known, with ``--text`` the instructions of a kernel.
The second writes the table of docs/performance.md. The driver comes from `tools/drivers.sh --extra`: RADV of Mesa 25,
which makes code for the GPU that RADV_FORCE_FAMILY names (Mesa 26 took the variable out).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from krnlpy.backend.null import NullBackend, NullExecutable
from krnlpy.backend.protocol import BuildRequest
from krnlpy.cli.inspect import find_kernel, load_module
from krnlpy.device import Device
from krnlpy.dsl.glsl.devices import Capabilities, shader_for
from krnlpy.dsl.glsl.emit import Shader
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.spirv.module import compile_shader
from krnlpy.errors import DeviceUnavailable, KrnlpyError
from krnlpy.kernels.configuration import DEFAULT_THREADS
from krnlpy.kernels.inspection import choose_types
from krnlpy.vulkan.loading import cooperative
from krnlpy.vulkan.loading.api import Api, load
from krnlpy.vulkan.loading.description import describe
from krnlpy.vulkan.pipelines.pipeline import specialization

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- radv: begin (python tools/radv.py --table writes this) -->", "<!-- radv: end -->"
FAMILIES = {"navi21": "RX 6900 XT", "navi31": "RX 7900 XTX", "gfx1201": "RX 9070 XT"}
"""Names that RADV knows, and a GPU of each."""

_LEAST_ADDS = 15
"""Multiply-adds in a loop of the kernels that the table shows."""
_KEPT = 0x40 | 0x80  # statistics and text of what is compiled
_INSTANCE = (
    *("vkCreateDevice", "vkEnumerateDeviceExtensionProperties", "vkEnumeratePhysicalDevices", "vkGetDeviceProcAddr"),
    *("vkGetPhysicalDeviceFeatures2", "vkGetPhysicalDeviceMemoryProperties", "vkGetPhysicalDeviceProperties"),
    *("vkGetPhysicalDeviceProperties2", "vkGetPhysicalDeviceQueueFamilyProperties", cooperative.FUNCTION),
)
_DEVICE = (
    *("vkCreateComputePipelines", "vkCreateDescriptorSetLayout", "vkCreatePipelineLayout", "vkCreateShaderModule"),
    *("vkDestroyPipeline", "vkDestroyPipelineLayout", "vkDestroyDescriptorSetLayout", "vkDestroyShaderModule"),
    *("vkGetPipelineExecutableInternalRepresentationsKHR", "vkGetPipelineExecutableStatisticsKHR"),
)
_EXTENSIONS = (*("VK_KHR_pipeline_executable_properties", "VK_KHR_cooperative_matrix", "VK_EXT_shader_atomic_float"),)
_FUSED = r"\bv_(?:dual_|pk_)?fma\w*f(?:16|32|64)"
_PRODUCT = r"\bv_(?:dual_|pk_)?mul_f(?:16|32|64)"
_DIVISION = re.compile(r"^.*\bv_mul_f32.*0x4f7ffffe.*$", re.MULTILINE)
"""A step of the division of integers."""
_LOAD = re.compile(r"\b(?:buffer|global|flat)_load_(?:d16_(?:hi_)?)?(\w+)")
_GROUP_LOAD = re.compile(r"\bds_(?:load|read)(2?)(?:addr|st64)*_(?:2addr_)?(?:stride64_)?(?:u|i)?([a-z]*\d+)")
_WIDTHS = {"ubyte": 1, "sbyte": 1, "u8": 1, "i8": 1, "ushort": 2, "sshort": 2, "u16": 2, "i16": 2, "b16": 2, "short": 2}


@dataclass(frozen=True)
class Loop:
    """A loop: its instructions, and of these the multiply-adds, or multiplications where they are apart."""

    instructions: int
    multiply_adds: int


@dataclass(frozen=True)
class Report:
    """What became of a kernel.

    Attributes:
        name: the kernel's. ``module``: where it is written.
        registers: of a lane, of 32 bits. ``spills``: those that did not fit.
        scratch_bytes: of each subgroup, in the GPU's main memory: arrays that are not in registers.
        group_bytes: of group memory.
        instructions: all that there are, whether in loops or not.
        fused, products, sums: multiply-adds that round once, in one instruction; multiplications, additions of floats.
        matrix: products of cooperative matrices.
        loads, group_loads: how many there are from buffers and from group memory, by bytes.
        loop: the loop that is densest in multiply-adds, where one has any.
        text: the instructions.
    """

    name: str
    module: str
    registers: int
    spills: int
    scratch_bytes: int
    group_bytes: int
    instructions: int
    fused: int
    products: int
    sums: int
    matrix: int
    loads: dict[int, int]
    group_loads: dict[int, int]
    loop: Loop | None
    text: str


def report(name: str, module: str, statistics: Mapping[str, int], text: str) -> Report:
    """What statistics and instructions of ACO, RADV's compiler, say."""
    listing, text = text, _DIVISION.sub("", text)

    def count(pattern: str) -> int:
        return len(re.findall(pattern, text))

    loads: dict[int, int] = {}
    for found in _LOAD.findall(text):
        _add_load(loads, found, 1)
    group_loads: dict[int, int] = {}
    for twice, found in _GROUP_LOAD.findall(text):
        _add_load(group_loads, found, 2 if twice else 1)
    return Report(
        name=name,
        module=module,
        registers=statistics["VGPRs"],
        spills=statistics["Spilled SGPRs"] + statistics["Spilled VGPRs"],
        scratch_bytes=statistics["Scratch size"],
        group_bytes=statistics["LDS size"],
        instructions=statistics["Instructions"],
        fused=count(_FUSED),
        products=count(_PRODUCT),
        sums=count(r"\bv_(?:dual_|pk_)?(?:add|sub|subrev)_f(?:16|32|64)"),
        matrix=count(r"\bv_wmma"),
        loads=dict(sorted(loads.items())),
        group_loads=dict(sorted(group_loads.items())),
        loop=densest_loop(text),
        text=listing,
    )


def densest_loop(text: str) -> Loop | None:
    """Loops are from a label to a branch back to it; that with the most multiply-adds an instruction.

    The text is a disassembly, or what ACO prints instead where Mesa was built without one for the GPU.
    """
    lines = [line.strip() for line in text.splitlines()]
    labels = {line.removesuffix(":"): n for n, line in enumerate(lines) if re.fullmatch(r"BB\d+:?", line)}
    found = []
    for end, line in enumerate(lines):
        branch = re.match(r"s_c?branch\w* (?:block:)?(BB\d+)\b", line)
        if branch is None or (begin := labels.get(branch[1], end)) >= end:
            continue
        inside = [text for text in lines[begin : end + 1] if re.match(r"(?:.* = )?[a-z]+_(?!delay_alu)", text)]
        body = "\n".join(inside)
        several = max(len(re.findall(_FUSED, body)), len(re.findall(_PRODUCT, body)))
        if several:
            found.append(Loop(len(inside), several))
    return min(found, key=lambda loop: loop.instructions / loop.multiply_adds, default=None)


def _add_load(loads: dict[int, int], width: str, words: int) -> None:
    """Counts a load of so many words, each as wide as the instruction's name says: ``b128``, ``dwordx4``, ``u8``."""
    if width.startswith("dword"):
        size = 4 * int(width.removeprefix("dword").removeprefix("x") or 1)
    else:
        size = _WIDTHS.get(width) or int(re.sub(r"\D", "", width) or 32) // 8
    loads[size * words] = loads.get(size * words, 0) + 1


def manifest() -> Path | None:
    """The manifest of RADV of Mesa 25, where it is unpacked."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "krnlpy-drivers" / "radv-25" / "radv-25.json"
    return path if path.exists() else None


class Compiler:
    """RADV, for one family of GPUs. One a process: the driver reads its settings once.

    Raises:
        DeviceUnavailable: the driver is not there.
    """

    def __init__(self, family: str) -> None:
        found = manifest()
        if found is None:
            raise DeviceUnavailable("RADV of Mesa 25 is not there; tools/drivers.sh --extra unpacks it")
        os.environ |= {"VK_DRIVER_FILES": str(found), "RADV_FORCE_FAMILY": family, "RADV_DEBUG": "nocache"}
        self.api = api = load()
        version = (1 << 22) | (3 << 12)
        instance = api.new("VkInstance *")
        application = api.struct("VkApplicationInfo", apiVersion=version)
        created = api.struct("VkInstanceCreateInfo", pApplicationInfo=application)
        api.check(api.lib.vkCreateInstance(created, api.ffi.NULL, instance), "create an instance")
        functions = api.functions(_INSTANCE, api.lib.vkGetInstanceProcAddr, instance[0])
        physical = api.enumerate("VkPhysicalDevice", functions.vkEnumeratePhysicalDevices, instance[0])[0]

        def one_heap(_: Any, memory: Any) -> None:
            memory.memoryHeapCount = 1  # a GPU that is not there has none
            memory.memoryHeaps[0].size, memory.memoryHeaps[0].flags = 1 << 34, 1

        functions.__dict__["vkGetPhysicalDeviceMemoryProperties"] = one_heap
        described = describe(api, functions, physical, 0)
        if isinstance(described, str):
            raise DeviceUnavailable(described)
        self.info = described.info
        self.capabilities = Capabilities.of(self.info)
        self._device = _device(api, functions, physical)
        self._functions = api.functions(_DEVICE, functions.vkGetDeviceProcAddr, self._device)

    def compile(self, request: BuildRequest) -> Report:
        """What becomes of a program."""
        program, shader = shader_for(
            request.program, request.variant, self.capabilities, request.debug, threads=request.threads
        )
        code = compile_shader(shader.source, program.name)
        statistics, text = self._built(code, shader, request, program.subgroup_threads)
        return report(program.name, Path(program.file).stem, statistics, text)

    def _create(self, function: str, type: str, info: Any) -> Any:
        handle = self.api.new(f"{type} *")
        self.api.check(getattr(self._functions, function)(self._device, info, self.api.ffi.NULL, handle), function)
        return handle[0]

    def _built(self, code: bytes, shader: Shader, request: BuildRequest, lanes: int) -> tuple[dict[str, int], str]:
        api, functions, null = self.api, self._functions, self.api.ffi.NULL
        bindings = api.new("VkDescriptorSetLayoutBinding[]", shader.binding_count)
        for number, binding in enumerate(bindings):
            binding.binding, binding.descriptorCount = number, 1
            binding.descriptorType = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
            binding.stageFlags = api.VK_SHADER_STAGE_COMPUTE_BIT
        info = api.struct("VkDescriptorSetLayoutCreateInfo", bindingCount=len(bindings), pBindings=bindings)
        sets = self._create("vkCreateDescriptorSetLayout", "VkDescriptorSetLayout", info)
        size = shader.parameter_bytes if shader.parameters == "push" else 0
        ranges = (
            [api.struct("VkPushConstantRange", stageFlags=api.VK_SHADER_STAGE_COMPUTE_BIT, size=size)] if size else []
        )
        info = api.struct(
            "VkPipelineLayoutCreateInfo",
            setLayoutCount=1, pSetLayouts=[sets], pushConstantRangeCount=len(ranges), pPushConstantRanges=ranges,
        )  # fmt: skip
        layout = self._create("vkCreatePipelineLayout", "VkPipelineLayout", info)
        words = api.ffi.from_buffer("uint32_t[]", code)
        info = api.struct("VkShaderModuleCreateInfo", codeSize=len(code), pCode=words)
        module = self._create("vkCreateShaderModule", "VkShaderModule", info)
        data, entries = specialization(shader, request.specs, request.threads)
        constants = api.struct(
            "VkSpecializationInfo",
            mapEntryCount=len(entries), pMapEntries=api.new("VkSpecializationMapEntry[]", entries),
            dataSize=len(data), pData=api.new("char[]", data),
        )  # fmt: skip
        required = api.struct("VkPipelineShaderStageRequiredSubgroupSizeCreateInfo", requiredSubgroupSize=lanes)
        stage = api.struct(
            "VkPipelineShaderStageCreateInfo",
            pNext=required if lanes else null, stage=api.VK_SHADER_STAGE_COMPUTE_BIT,
            module=module, pName="main", pSpecializationInfo=constants,
        )  # fmt: skip
        info = api.struct("VkComputePipelineCreateInfo", flags=_KEPT, stage=stage, layout=layout, basePipelineIndex=-1)
        pipeline = api.new("VkPipeline *")
        api.check(functions.vkCreateComputePipelines(self._device, null, 1, info, null, pipeline), "compile")
        executable = api.struct("VkPipelineExecutableInfoKHR", pipeline=pipeline[0])
        function = functions.vkGetPipelineExecutableStatisticsKHR
        found = api.enumerate("VkPipelineExecutableStatisticKHR", function, self._device, executable)
        statistics = {api.text(s.name): int(s.value.u64) for s in found}
        text = self._text(executable)
        functions.vkDestroyPipeline(self._device, pipeline[0], null)
        functions.vkDestroyShaderModule(self._device, module, null)
        functions.vkDestroyPipelineLayout(self._device, layout, null)
        functions.vkDestroyDescriptorSetLayout(self._device, sets, null)
        return statistics, text

    def _text(self, executable: Any) -> str:
        """The instructions of a pipeline's only executable."""
        api, function = self.api, self._functions.vkGetPipelineExecutableInternalRepresentationsKHR
        count = api.ffi.new("uint32_t *")
        function(self._device, executable, count, api.ffi.NULL)
        texts = api.new("VkPipelineExecutableInternalRepresentationKHR[]", count[0])
        function(self._device, executable, count, texts)  # says how long they are
        memory = [api.ffi.new("char[]", max(int(t.dataSize), 1)) for t in texts]
        for text, place in zip(texts, memory, strict=True):
            text.pData = place
        function(self._device, executable, count, texts)
        return next(api.text(m) for t, m in zip(texts, memory, strict=True) if api.text(t.name) == "Assembly")


def _device(api: Api, functions: Any, physical: Any) -> Any:
    """A device with every feature of those that kernels use."""
    further = api.ffi.NULL
    for name in (
        *("VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR", "VkPhysicalDeviceCooperativeMatrixFeaturesKHR"),
        *("VkPhysicalDeviceShaderAtomicFloatFeaturesEXT", "VkPhysicalDeviceSubgroupSizeControlFeatures"),
        *("VkPhysicalDeviceVulkan12Features", "VkPhysicalDeviceVulkan11Features"),
    ):
        further = api.struct(name, pNext=further)
    features = api.struct("VkPhysicalDeviceFeatures2", pNext=further)
    functions.vkGetPhysicalDeviceFeatures2(physical, features)
    found = api.enumerate(
        "VkExtensionProperties", functions.vkEnumerateDeviceExtensionProperties, physical, api.ffi.NULL
    )
    there = {api.text(extension.extensionName) for extension in found}
    names = [name for name in _EXTENSIONS if name in there]
    queue = api.struct("VkDeviceQueueCreateInfo", queueCount=1, pQueuePriorities=[1.0])
    info = api.struct(
        "VkDeviceCreateInfo",
        pNext=features, queueCreateInfoCount=1, pQueueCreateInfos=queue,
        enabledExtensionCount=len(names), ppEnabledExtensionNames=names,
    )  # fmt: skip
    device = api.new("VkDevice *")
    api.check(functions.vkCreateDevice(physical, info, api.ffi.NULL, device), "open the device")
    return device[0]


class Collector(NullBackend):
    """A device that collects what it is asked to build."""

    def __init__(self, info: Any) -> None:
        super().__init__("discrete")
        self.info = replace(info, backend="null", index=None)
        self.requests: dict[Any, BuildRequest] = {}

    def device(self) -> Device:
        """The device that this is the backend of."""
        device = Device.__new__(Device)
        device.backend = self
        return device

    def build(self, request: BuildRequest) -> NullExecutable:
        """Collects the request."""
        key = request.program, request.variant, tuple(sorted(request.specs.items())), request.threads
        self.requests.setdefault(key, request)
        return super().build(request)


def shipped(package: str, compiler: Compiler) -> Iterator[Report]:
    """What becomes of the kernels that a package ships."""
    collector = Collector(compiler.info)
    load_module(f"{package}.krnlpy_workload").workload(collector.device())
    for request in collector.requests.values():
        yield compiler.compile(request)


def named(name: str, compiler: Compiler) -> Report:
    """What becomes of a kernel ``module:kernel``, its types and constants as they are chosen for `krnlpy inspect`."""
    kernel = find_kernel(name)
    types = choose_types(kernel.signature, {})
    program = kernel.definition.program(types, kernel.configuration.threads)
    variant = Variant(0, (True,) * len(program.buffers))
    specs = {p.name: kernel.configuration.specs.get(p.name, p.default) for p in program.specs}
    threads = kernel.configuration.threads or DEFAULT_THREADS
    return compiler.compile(BuildRequest(program, variant, specs, threads))


def reports(names: list[str], family: str) -> list[Report]:
    """Of kernels by name, or of all that packages ship, in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--json", "--family", family, *names]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DeviceUnavailable(done.stderr.strip())
    return [read(entry) for entry in json.loads(done.stdout)]


def read(entry: dict[str, Any]) -> Report:
    """A report as ``--json`` writes it."""
    loop = Loop(**entry["loop"]) if entry["loop"] else None
    widths = {name: {int(k): n for k, n in entry[name].items()} for name in ("loads", "group_loads")}
    return Report(**{**entry, **widths, "loop": loop})


def table() -> str:
    """The table of docs/performance.md: each shipped kernel that multiplies and adds in a loop, in the variant with the
    most multiply-adds."""
    rows: dict[str, dict[str, Report]] = {}
    for family in FAMILIES:
        for found in reports(["autograph"], family):
            best = rows.setdefault(found.name, {}).get(family)
            if found.loop and (best is None or best.loop is None or found.loop.multiply_adds > best.loop.multiply_adds):
                rows[found.name][family] = found
    heads = [f"{gpu} ({family})" for family, gpu in FAMILIES.items()]
    lines = [f"| kernel | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for name, row in sorted(rows.items()):
        if len(row) == len(FAMILIES) and max(_adds(r) for r in row.values()) >= _LEAST_ADDS:
            lines.append(f"| {name} | {' | '.join(map(_cell, row.values()))} |")
    return "\n".join(lines)


def _adds(found: Report) -> int:
    return found.loop.multiply_adds if found.loop else 0


def _cell(found: Report) -> str:
    assert found.loop is not None
    ratio = found.loop.instructions / found.loop.multiply_adds
    return f"{found.registers} / {found.group_bytes} / {found.scratch_bytes} / {ratio:.1f}"


def _line(found: Report) -> str:
    loop = f"{found.loop.instructions}/{found.loop.multiply_adds}" if found.loop else ""
    widths = " ".join(f"{n}x{size}" for size, n in found.loads.items())
    group = " ".join(f"{n}x{size}" for size, n in found.group_loads.items())
    return (
        f"{found.name:<28} {found.registers:>5} {found.spills:>6} {found.scratch_bytes:>7} {found.group_bytes:>6}"
        f" {found.instructions:>6} {found.fused:>5} {found.products:>5} {found.sums:>5} {found.matrix:>4} {loop:>8}"
        f"  {widths:<14} {group}"
    )


def main(arguments: list[str]) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="radv.py", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=["autograph"], metavar="MODULE:KERNEL | PACKAGE")
    parser.add_argument("--family", choices=sorted(FAMILIES), default="navi31")
    parser.add_argument("--json", action="store_true", help="all that is known, for programs")
    parser.add_argument("--text", metavar="NAME", help="the instructions of the kernels of that name")
    parser.add_argument("--table", action="store_true", help=f"write the table of {PAGE.name}")
    parser.add_argument("--print", action="store_true", help="with --table: only print it")
    options = parser.parse_args(arguments)
    try:
        if options.table:
            text = table()
            if options.print:
                print(text)
                return 0
            page = PAGE.read_text(encoding="utf-8")
            before, _, rest = page.partition(f"{BEGIN}\n")
            _, _, after = rest.partition(END)
            PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
            return 0
        compiler = Compiler(options.family)
        found = [
            each
            for name in options.names
            for each in ([named(name, compiler)] if ":" in name else shipped(name, compiler))
        ]
    except KrnlpyError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([asdict(each) for each in found]))
    elif options.text is not None:
        print("\n".join(each.text for each in found if each.name == options.text))
    else:
        print(
            f"{'kernel':<28}  regs spills scratch  group instrs fused   mul   add wmma     loop  loads          group"
        )
        print("\n".join(map(_line, found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
