"""The surface where a field has one value: marching cubes, with vertices that triangles share.

A port of ``marching_cubes.py`` of NVIDIA's Warp, tables included (Apache License 2.0):
https://github.com/NVIDIA/warp/blob/main/warp/_src/marching_cubes.py
The method is that of W. Lorensen and H. Cline, 1987.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, f32, i32, kernel
from krnlpy.dsl import clamp, global_id, lerp, vec3, where

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main
from examples.kernels.scan import scan

# The place of each corner of a cell; corner i is bit i of a case.
CUBE_CORNER_OFFSETS = (
    (0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0),
    (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1),
)  # fmt: skip

# The edges of a cell: from which node, and in which direction.
EDGE_OFFSETS = np.array(
    [
        (0, 0, 0, 0), (1, 0, 0, 1), (0, 1, 0, 0), (0, 0, 0, 1),
        (0, 0, 1, 0), (1, 0, 1, 1), (0, 1, 1, 0), (0, 0, 1, 1),
        (0, 0, 0, 2), (1, 0, 0, 2), (1, 1, 0, 2), (0, 1, 0, 2),
    ],
    np.int32,
)  # fmt: skip

# The triangles of each of the 256 cases: three edges each, a digit an edge.
_CASES = """
- 083 019 183981 12a 08312a 92a029 2832a8a98 3b2 0b28b0 19023b 1b219b98b 3a1ba3 0a108a8ba 3903b9ba9 98aa8b 478
430734 019847 419471731 12a847 34730412a 92a902847 2a9297273794 8473b2 b47b24204 90184723b 47b94b9b2921 3a13ba784
1ba14b1047b4 47890b9bab03 47b4b99ba 954 954083 054150 854835315 12a954 30812a495 52a542402 2a5325354348 95423b
0b208b495 05401523b 21525828b485 a3ba13954 4950818a18ba 54050b5bab03 54858aa8b 978579 930953573 078017157 153357
978957a12 a12950530573 802825857a52 2a5253357 7957893b2 95797292027b 23b018178157 b21b17715 958857a13a3b
5705097b010aba0 ba0b03a50807570 ba57b5 a65 0835a6 9015a6 1831985a6 165261 165126308 965906026 598582526328 23ba65
b08b20a65 01923b5a6 5a61929b298b 63b653513 08b0b50515b6 3b6036065059 65969bb98 5a6478 43047365a 1905a6847
a65197173794 612651478 125526304347 847905065026 739794329596269 3b2784a65 5a647242027b 01947823b5a6 9219b294b7b45a6
8473b53515b6 51b5b610b7b404b 059065036b63847 65969b4797b9 a4964a 4a649a083 a01a60640 83181686461a 149124264
308129249264 024426 832824426 a49a64b23 08228b49a4a6 3b201606461a 64161a48121b8b1 964936913b63 8b1810b61914641
3b6360064 648b68 7a678a89a 0730a709a67a a671a7178180 a67a71173 126168189867 269291679093739 780706602 732672
23ba68a89867 20727b09767a9a7 1801781a767a23b b21b17a61671 896867916b63136 091b67 7807063b0b60 7b6 76b 308b76 019b76
819831b76 a126b7 12a3086b7 2902a96b7 6b72a3a83a98 723627 708760620 276237019 162186198876 a76a17137 a7617a187108
03707a0a96a7 76a7a88a9 684b86 36b306046 86b846901 946963931b36 6846b82a1 12a30b06b046 4b846b0292a9 a93a32943b36463
823842462 042462 190234246438 194142246 8138618466a1 a10a06604 4634386a3039a93 a946a4 49576b 083495b76 50154076b
b76834354315 954a1276b 6b712a083495 76b54a42a402 348354325a52b76 723762549 954086062687 362376150540 628687218485158
954a16176137 16a176107870954 40a4a503a6a737a 76a7a854a48a 6956b9b89 36b063056095 0b805b01556b 6b3635531 12a95b9b8b56
0b306b09656912a b85b56805a52025 6b36352a3a53 589528562382 956960062 158180568382628 156216 13616a386569896
a10a06950560 03856a a56 b5a75b b5ab75830 5b75ab190 a75ab7981831 b12b71751 08312717572b 9759279022b7 75272b592328982
25a235375 820852875a25 9015a35373a2 982921872a25752 135375 087071175 903935537 987597 5845a8ab8 5045b05abb30
01984a8aba45 ab4a45b34941314 2512852b8458 04b0b345b2b151b 0250592b5458b85 9452b3 25a352345384 5a2524420
3a235a385458019 5a2524192942 845853351 045105 845853905035 945 4b749b9ab 0834979b79ab 1ab1b414074b 3143481a474bab4
4b79b492b912 9749b791b2b1083 b74b42240 b74b42834324 29a279237749 9a7974a27870207 37a3a274a1a040a 1a2874 491417713
491417081871 403743 487 9a8ab8 30939bb9a 01a0a88ab 31ab3a 12b1b99b8 30939b1292b9 02b80b 32b 23828aa89 9a2092
23828a0181a8 1a2 138918 091 038 -
"""
TRIANGLES = [[int(edge, 16) for edge in case if edge != "-"] for case in _CASES.split()]
CASE_TO_TRI_RANGE = np.cumsum([0, *map(len, TRIANGLES)], dtype=np.int32)
TRI_LOCAL_INDICES = np.concatenate(TRIANGLES).astype(np.int32)


@kernel
def extract_vertices(
    values: Global[f32, 3],
    threshold: f32,
    lower_corner: vec3,
    pos_delta: vec3,
    vertex_result_ind: Global[i32],
    count_only: bool,
    thread_output_count: GlobalMut[i32],
    verts_pos_out: GlobalMut[vec3],
    verts_is_boundary_out: GlobalMut[bool],
    edge_generated_vert_ind: GlobalMut[i32, 4],
) -> None:
    """Counts the vertices of each edge, or writes them where the sums of the counts say."""
    nnode_x, nnode_y, nnode_z = values.shape
    ind = global_id()
    if ind >= values.size * 3:
        return
    t_side = ind % 3
    tk = ind // 3 % nnode_z
    tj = ind // 3 // nnode_z % nnode_y
    ti = ind // 3 // nnode_z // nnode_y

    i_opp = ti + where(t_side == 0, 1, 0)
    j_opp = tj + where(t_side == 1, 1, 0)
    k_opp = tk + where(t_side == 2, 1, 0)
    out_ind = -1

    # Out of bounds edges off the sides of the grid
    if i_opp >= nnode_x or j_opp >= nnode_y or k_opp >= nnode_z:
        if not count_only:
            edge_generated_vert_ind[ti, tj, tk, t_side] = out_ind
        return

    this_val = values[ti, tj, tk]
    opp_val = values[i_opp, j_opp, k_opp]

    # Check if we generate a vertex
    if (this_val >= threshold and opp_val < threshold) or (this_val < threshold and opp_val >= threshold):
        if count_only:
            thread_output_count[ind] = 1
        else:
            out_ind = vertex_result_ind[ind] - 1

            # generated vertex along the edge
            t_interp = (threshold - this_val) / (opp_val - this_val)
            t_interp = clamp(t_interp, 0.0, 1.0)
            this_pos = lower_corner + vec3(ti * pos_delta.x, tj * pos_delta.y, tk * pos_delta.z)
            opp_pos = lower_corner + vec3(i_opp * pos_delta.x, j_opp * pos_delta.y, k_opp * pos_delta.z)
            interp_pos = lerp(this_pos, opp_pos, t_interp)
            this_boundary = (
                ti == 0 or (ti + 1) == nnode_x or tj == 0 or (tj + 1) == nnode_y or tk == 0 or (tk + 1) == nnode_z
            )
            opp_boundary = (
                i_opp == 0
                or (i_opp + 1) == nnode_x
                or j_opp == 0
                or (j_opp + 1) == nnode_y
                or k_opp == 0
                or (k_opp + 1) == nnode_z
            )
            vert_is_boundary = this_boundary and opp_boundary

            # store output data
            verts_pos_out[out_ind] = interp_pos
            verts_is_boundary_out[out_ind] = vert_is_boundary

    if not count_only:
        edge_generated_vert_ind[ti, tj, tk, t_side] = out_ind


@kernel
def extract_faces(
    values: Global[f32, 3],
    threshold: f32,
    edge_generated_vert_ind: Global[i32, 4],
    face_result_ind: Global[i32],
    case_to_tri_range_table: Global[i32],
    tri_local_inds_table: Global[i32],
    edge_offset_table: Global[i32, 2],
    count_only: bool,
    thread_output_count: GlobalMut[i32],
    faces_out: GlobalMut[i32],
) -> None:
    """Counts the triangles of each cell, or writes them where the sums of the counts say."""
    nnode_x, nnode_y, nnode_z = values.shape
    ncell_x, ncell_y, ncell_z = nnode_x - 1, nnode_y - 1, nnode_z - 1
    ind = global_id()
    if ind >= ncell_x * ncell_y * ncell_z:
        return
    tk = ind % ncell_z
    tj = ind // ncell_z % ncell_y
    ti = ind // ncell_z // ncell_y

    # Check which case we're in
    case_code = 0
    for i_c in range(8):
        indX = ti + CUBE_CORNER_OFFSETS[i_c][0]
        indY = tj + CUBE_CORNER_OFFSETS[i_c][1]
        indZ = tk + CUBE_CORNER_OFFSETS[i_c][2]
        val = values[indX, indY, indZ]
        if val >= threshold:
            case_code += 2**i_c

    # Gather the range of triangles we will emit
    tri_range_start = case_to_tri_range_table[case_code]
    tri_range_end = case_to_tri_range_table[case_code + 1]
    N_tri = (tri_range_end - tri_range_start) // 3

    # If we are just counting, record the number of triangles and move on
    if count_only:
        thread_output_count[ind] = N_tri
        return

    if N_tri == 0:
        return

    # Find the output index for this thread's faces: the sums include their own cell
    prev_thread_id = ind - 1
    if prev_thread_id < 0:
        out_ind = 0
    else:
        out_ind = face_result_ind[prev_thread_id]

    # Emit triangles
    for i_tri in range(N_tri):
        for s in range(3):
            local_ind = tri_local_inds_table[tri_range_start + 3 * i_tri + s]

            global_ind = edge_generated_vert_ind[
                ti + edge_offset_table[local_ind][0],
                tj + edge_offset_table[local_ind][1],
                tk + edge_offset_table[local_ind][2],
                edge_offset_table[local_ind][3],
            ]

            faces_out[3 * (out_ind + i_tri) + s] = global_ind


def surface(
    values: Buffer, threshold: float, lower: tuple[float, ...], delta: tuple[float, ...]
) -> tuple[Buffer, Buffer, Buffer]:
    """Vertices (n, 3), whether each is on the boundary of the field, and three of them a triangle (m * 3)."""
    device, (nx, ny, nz) = values.device, values.shape
    count, sums = (Buffer.zeros(values.size * 3, i32, device) for _ in range(2))
    vertices = extract_vertices.with_global_threads(count.size)
    nothing = Buffer.zeros(1, i32, device), Buffer.zeros((1, 3), f32, device), Buffer.zeros(1, bool, device)
    no_edges = Buffer.zeros((1, 1, 1, 1), i32, device)
    vertices(values, threshold, lower, delta, nothing[0], True, count, nothing[1], nothing[2], no_edges)
    scan(count, sums, inclusive=True)
    n_vert = int(sums[-1:].numpy()[0])
    places, on_boundary = Buffer.empty((n_vert, 3), f32, device), Buffer.empty(n_vert, bool, device)
    edges = Buffer.zeros((nx, ny, nz, 3), i32, device)
    vertices(values, threshold, lower, delta, sums, False, nothing[0], places, on_boundary, edges)

    count, sums = (Buffer.zeros((nx - 1) * (ny - 1) * (nz - 1), i32, device) for _ in range(2))
    tables = [Buffer.from_numpy(table, device) for table in (CASE_TO_TRI_RANGE, TRI_LOCAL_INDICES, EDGE_OFFSETS)]
    faces = extract_faces.with_global_threads(count.size)
    faces(values, threshold, edges, nothing[0], *tables, True, count, Buffer.zeros(1, i32, device))
    scan(count, sums, inclusive=True)
    found = Buffer.empty(3 * int(sums[-1:].numpy()[0]), i32, device)
    faces(values, threshold, edges, sums, *tables, False, nothing[0], found)
    return places, on_boundary, found


def example(device: Device, size: int) -> Iterator[Work]:
    """A ball in a field of ``size`` nodes a direction, five or more."""
    radius, step = 0.6, 2 / (size - 1)
    axes = np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij")
    values = Buffer.from_numpy(np.sqrt(sum(axis**2 for axis in axes)).astype(np.float32), device)
    found: list[tuple[Buffer, ...]] = []

    def check() -> None:
        places, on_boundary, faces = (buffer.numpy() for buffer in found[0])
        triangles = faces.reshape(-1, 3)
        assert not on_boundary.any() and (np.unique(faces) == np.arange(len(places))).all()
        # A closed surface without holes: each edge has two triangles, and Euler's number is 2.
        edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
        unique, times = np.unique(edges, axis=0, return_counts=True)
        assert (times == 2).all() and len(places) - len(unique) + len(triangles) == 2
        # On an edge of this length a distance is a line but for its curvature, of 1 / (radius - step) at most.
        distance = np.linalg.norm(places.astype(np.float64), axis=1)
        np.testing.assert_allclose(distance, radius, atol=step**2 / 8 / (radius - step) + 1e-6)
        a, b, c = (places[triangles[:, i]] for i in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
        np.testing.assert_allclose(area, 4 * math.pi * radius**2, rtol=step**2 / radius**2)

    def launch() -> None:
        found.append(surface(values, radius, (-1, -1, -1), (step, step, step)))

    yield Work("marching cubes", launch, check, (size - 1) ** 3 / 1e6, "Mcells")


if __name__ == "__main__":
    main(example, size=64)
