"""The parameter block: the order, the types and the alignment of its fields."""

from krnlpy.dsl.ir.layout import Variant, layout_of
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Spec
from krnlpy.scalar import bf16, f32, f64, i8, i32, u8, u64
from tests.support.launching import lower


def names(layout):
    return [(f.name, f.type.name, f.count, f.offset) for f in layout.fields]


def test_wide_scalars_first_and_narrow_ones_widened() -> None:
    def kernel(a: u8, b: f64, c: bf16, d: u64, e: i8, f: bool, y: ItemMut[f32]) -> None:
        y = 1.0

    layout = layout_of(lower(kernel), Variant(0, (True,)))
    assert names(layout) == [
        ("b", "f64", 0, 0), ("d", "u64", 0, 8), ("a", "u32", 0, 16), ("c", "f32", 0, 20), ("e", "i32", 0, 24),
        ("f", "u32", 0, 28), ("items", "u32", 0, 32), ("y_offset", "u32", 0, 36),
    ]  # fmt: skip
    assert layout.size == 40
    packed = layout.format.pack(0.5, 2**63, 255, 1.5, -1, 1, 7, 3)
    assert len(packed) == 40
    assert layout.format.unpack(packed) == (0.5, 2**63, 255, 1.5, -1, 1, 7, 3)


def test_strided_items_have_a_common_shape() -> None:
    def kernel(x: Item[f32], y: ItemMut[f32]) -> None:
        y = x

    layout = layout_of(lower(kernel), Variant(2, (False, False)))
    assert names(layout) == [
        ("items", "u32", 0, 0), ("item_shape", "u32", 2, 4), ("x_offset", "u32", 0, 12), ("x_strides", "i32", 2, 16),
        ("y_offset", "u32", 0, 24), ("y_strides", "i32", 2, 28),
    ]  # fmt: skip
    assert layout.size == 40
    assert len(layout.format.pack(6, 2, 3, 0, 3, 1, 0, 0, 1)) == 40


def test_globals_have_strides_only_where_they_are_not_known() -> None:
    def kernel(a: Global[f32, 2], b: GlobalMut[f32], N: Spec[i32] = 1) -> None:
        b[0] = a[0, 0]

    known = layout_of(lower(kernel), Variant(0, (True, True)))
    assert [f.name for f in known.fields] == ["a_offset", "a_shape", "b_offset", "b_shape"]
    strided = layout_of(lower(kernel), Variant(0, (False, True)))
    assert [f.name for f in strided.fields] == ["a_offset", "a_shape", "a_strides", "b_offset", "b_shape"]
    assert "a_strides" in strided and "a_strides" not in known
    assert strided["b_shape"].offset == 24
