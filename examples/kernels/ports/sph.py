"""Water falls, by smoothed particles that find their neighbours through a hash grid.

A port of ``example_sph.py`` and of the hash grid that it uses, of NVIDIA's Warp (Apache License 2.0):
https://github.com/NVIDIA/warp/blob/main/warp/examples/core/example_sph.py
https://github.com/NVIDIA/warp/blob/main/warp/native/hashgrid.h
The method is that of M. Müller, D. Charypar and M. Gross, "Particle-based fluid simulation for interactive
applications", 2003.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, f32, func, i32, kernel, u32
from krnlpy.dsl import dot, floor, global_id, grid, item_id, ivec3, random_normal4, sqrt, uvec2, vec3

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Array, Work, main
from examples.kernels.ports.radix_sort import RadixSort

SMOOTHING_LENGTH = 0.8
WIDTH, HEIGHT, LENGTH = 16.0, 16.0, 16.0
ISOTROPIC_EXP = 20.0
BASE_DENSITY = 1.0
PARTICLE_MASS = 0.01 * SMOOTHING_LENGTH**3
DT = 0.01 * SMOOTHING_LENGTH
DYNAMIC_VISC = 0.025
DAMPING_COEF = -0.95
GRAVITY = -0.1
DENSITY_NORMALIZATION = (315.0 * PARTICLE_MASS) / (64.0 * math.pi * SMOOTHING_LENGTH**9)
PRESSURE_NORMALIZATION = -(45.0 * PARTICLE_MASS) / (math.pi * SMOOTHING_LENGTH**6)
VISCOUS_NORMALIZATION = (45.0 * DYNAMIC_VISC * PARTICLE_MASS) / (math.pi * SMOOTHING_LENGTH**6)
DIM = 16  # cells of the grid in each direction
STEPS = 2


@func
def cell_of(p: vec3) -> ivec3:
    return ivec3(floor(p / SMOOTHING_LENGTH))


@func
def hash_grid_index(cell: ivec3) -> i32:
    # a cell beyond the grid shares one with others
    c = cell % DIM
    return c.z * (DIM * DIM) + c.y * DIM + c.x


@kernel
def hash_points(x: Item[vec3], keys: ItemMut[uvec2]) -> None:
    keys = [u32(hash_grid_index(cell_of(x))), u32(item_id())]


@kernel
def find_cells(keys: Global[uvec2], cell_starts: GlobalMut[i32], cell_ends: GlobalMut[i32]) -> None:
    tid = global_id()
    if tid < len(keys):
        c = keys[tid].x
        if tid == 0 or keys[tid - 1].x != c:
            cell_starts[c] = tid
        if tid == len(keys) - 1 or keys[tid + 1].x != c:
            cell_ends[c] = tid + 1


@func
def square(x: f32) -> f32:
    return x * x


@func
def cube(x: f32) -> f32:
    return x * x * x


@func
def density_kernel(xyz: vec3, smoothing_length: f32) -> f32:
    # calculate distance
    distance = dot(xyz, xyz)

    return max(cube(square(smoothing_length) - distance), 0.0)


@func
def diff_pressure_kernel(
    xyz: vec3, pressure: f32, neighbor_pressure: f32, neighbor_rho: f32, smoothing_length: f32
) -> vec3:
    # calculate distance
    distance = sqrt(dot(xyz, xyz))

    if distance < smoothing_length:
        # calculate terms of kernel
        term_1 = -xyz / distance
        term_2 = (neighbor_pressure + pressure) / (2.0 * neighbor_rho)
        term_3 = square(smoothing_length - distance)
        return term_1 * term_2 * term_3
    return vec3()


@func
def diff_viscous_kernel(xyz: vec3, v: vec3, neighbor_v: vec3, neighbor_rho: f32, smoothing_length: f32) -> vec3:
    # calculate distance
    distance = sqrt(dot(xyz, xyz))

    # calculate terms of kernel
    if distance < smoothing_length:
        term_1 = (neighbor_v - v) / neighbor_rho
        term_2 = smoothing_length - distance
        return term_1 * term_2
    return vec3()


@kernel
def compute_density(
    keys: Global[uvec2],
    cell_starts: Global[i32],
    cell_ends: Global[i32],
    particle_x: Global[vec3],
    particle_rho: GlobalMut[f32],
    density_normalization: f32,
    smoothing_length: f32,
) -> None:
    tid = global_id()
    if tid >= len(keys):
        return

    # order threads by cell
    i = keys[tid].y

    # get local particle variables
    x = particle_x[i]

    # store density
    rho = 0.0

    # loop through neighbors to compute density
    cell = cell_of(x)
    for i_x, i_y, i_z in grid(range(-1, 2), range(-1, 2), range(-1, 2)):
        c = hash_grid_index(cell + ivec3(i_x, i_y, i_z))
        for k in range(cell_starts[c], cell_ends[c]):
            # compute distance
            distance = x - particle_x[keys[k].y]

            # compute kernel derivative
            rho += density_kernel(distance, smoothing_length)

    # add external potential
    particle_rho[i] = density_normalization * rho


@kernel
def get_acceleration(
    keys: Global[uvec2],
    cell_starts: Global[i32],
    cell_ends: Global[i32],
    particle_x: Global[vec3],
    particle_v: Global[vec3],
    particle_rho: Global[f32],
    particle_a: GlobalMut[vec3],
    isotropic_exp: f32,
    base_density: f32,
    gravity: f32,
    pressure_normalization: f32,
    viscous_normalization: f32,
    smoothing_length: f32,
) -> None:
    tid = global_id()
    if tid >= len(keys):
        return

    # order threads by cell
    i = keys[tid].y

    # get local particle variables
    x = particle_x[i]
    v = particle_v[i]
    rho = particle_rho[i]
    pressure = isotropic_exp * (rho - base_density)

    # store forces
    pressure_force = vec3()
    viscous_force = vec3()

    # loop through neighbors to compute acceleration
    cell = cell_of(x)
    for i_x, i_y, i_z in grid(range(-1, 2), range(-1, 2), range(-1, 2)):
        c = hash_grid_index(cell + ivec3(i_x, i_y, i_z))
        for k in range(cell_starts[c], cell_ends[c]):
            index = keys[k].y
            if index != i:
                # get neighbor velocity
                neighbor_v = particle_v[index]

                # get neighbor density and pressures
                neighbor_rho = particle_rho[index]
                neighbor_pressure = isotropic_exp * (neighbor_rho - base_density)

                # compute relative position
                relative_position = particle_x[index] - x

                # calculate pressure force
                pressure_force += diff_pressure_kernel(
                    relative_position, pressure, neighbor_pressure, neighbor_rho, smoothing_length
                )

                # compute kernel derivative
                viscous_force += diff_viscous_kernel(relative_position, v, neighbor_v, neighbor_rho, smoothing_length)

    # sum all forces
    force = pressure_normalization * pressure_force + viscous_normalization * viscous_force

    # add external potential
    particle_a[i] = force / rho + vec3(0.0, gravity, 0.0)


@kernel
def apply_bounds(
    particle_x: GlobalMut[vec3],
    particle_v: GlobalMut[vec3],
    damping_coef: f32,
    width: f32,
    length: f32,
) -> None:
    tid = global_id()
    if tid >= len(particle_x):
        return

    # get pos and velocity
    x = particle_x[tid]
    v = particle_v[tid]

    # clamp x left
    if x[0] < 0.0:
        x = vec3(0.0, x[1], x[2])
        v = vec3(v[0] * damping_coef, v[1], v[2])

    # clamp x right
    if x[0] > width:
        x = vec3(width, x[1], x[2])
        v = vec3(v[0] * damping_coef, v[1], v[2])

    # clamp y bot
    if x[1] < 0.0:
        x = vec3(x[0], 0.0, x[2])
        v = vec3(v[0], v[1] * damping_coef, v[2])

    # clamp z left
    if x[2] < 0.0:
        x = vec3(x[0], x[1], 0.0)
        v = vec3(v[0], v[1], v[2] * damping_coef)

    # clamp z right
    if x[2] > length:
        x = vec3(x[0], x[1], length)
        v = vec3(v[0], v[1], v[2] * damping_coef)

    # apply clamps
    particle_x[tid] = x
    particle_v[tid] = v


@kernel
def kick(particle_v: ItemMut[vec3], particle_a: Item[vec3], dt: f32) -> None:
    particle_v += particle_a * dt


@kernel
def drift(particle_x: ItemMut[vec3], particle_v: Item[vec3], dt: f32) -> None:
    particle_x += particle_v * dt


@kernel
def initialize_particles(particle_x: ItemMut[vec3], smoothing_length: f32, nr_x: i32, nr_z: i32) -> None:
    tid = item_id()

    # calculate particle position
    z = tid % nr_z
    y = tid // (nr_z * nr_x)
    x = (tid // nr_z) % nr_x
    pos = 0.5 * smoothing_length * vec3(x, y, z)

    # add small jitter
    particle_x = pos + 0.001 * smoothing_length * random_normal4(123, tid).xyz


class Fluid:
    """Particles in a box."""

    def __init__(self, count: int, device: Device) -> None:
        self.x, self.v, self.a = (Buffer.zeros((count, 3), f32, device) for _ in range(3))
        self.rho = Buffer.zeros(count, f32, device)
        self.keys = Buffer.zeros((count, 2), u32, device)
        self.cell_starts, self.cell_ends = (Buffer.zeros(DIM**3, i32, device) for _ in range(2))
        initialize_particles(self.x, SMOOTHING_LENGTH, 8, 8)

    def build_grid(self) -> tuple[Buffer, Buffer, Buffer]:
        """The particles in the order of their cells, and where each cell's start and end."""
        hash_points(self.x, self.keys)
        keys = RadixSort(self.keys).sort()
        self.cell_starts.fill(0)
        self.cell_ends.fill(0)
        find_cells.with_global_threads(len(keys))(keys, self.cell_starts, self.cell_ends)
        return keys, self.cell_starts, self.cell_ends

    def step(self) -> None:
        grid, count = self.build_grid(), len(self.x)
        compute_density.with_global_threads(count)(*grid, self.x, self.rho, DENSITY_NORMALIZATION, SMOOTHING_LENGTH)
        get_acceleration.with_global_threads(count)(
            *grid,
            self.x,
            self.v,
            self.rho,
            self.a,
            ISOTROPIC_EXP,
            BASE_DENSITY,
            GRAVITY,
            PRESSURE_NORMALIZATION,
            VISCOUS_NORMALIZATION,
            SMOOTHING_LENGTH,
        )
        apply_bounds.with_global_threads(count)(self.x, self.v, DAMPING_COEF, WIDTH, LENGTH)
        kick(self.v, self.a, DT)
        drift(self.x, self.v, DT)


def acceleration(x: Array, v: Array) -> tuple[Array, Array]:
    """Densities and accelerations by each particle with every other, in f64."""
    h, away = SMOOTHING_LENGTH, x[None] - x[:, None]
    square = (away**2).sum(2)
    rho = DENSITY_NORMALIZATION * (np.maximum(h * h - square, 0) ** 3).sum(1)
    distance = np.sqrt(square + np.eye(len(x)))
    near = (square < h * h) & ~np.eye(len(x), dtype=bool)
    p = ISOTROPIC_EXP * (rho - BASE_DENSITY)
    pressure = -(p[:, None] + p) / (2 * rho) * (h - distance) ** 2 / distance * near
    viscous = (h - distance) / rho * near
    force = PRESSURE_NORMALIZATION * (pressure[..., None] * away).sum(1)
    force += VISCOUS_NORMALIZATION * (viscous[..., None] * (v[None] - v[:, None])).sum(1)
    return rho, force / rho[:, None] + (0, GRAVITY, 0)


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` particles."""
    fluid = Fluid(size, device)
    last: list[Any] = []

    def launch() -> None:
        for _ in range(STEPS):
            if len(last) < STEPS:
                last.append((fluid.x.numpy(), fluid.v.numpy()))
            fluid.step()

    def check() -> None:
        some = min(size, 1000)
        x, v = (values.astype(np.float64) for values in last[-1])
        rho, a = acceleration(x, v)
        # Pressures are differences of densities; dozens of neighbours add up.
        np.testing.assert_allclose(fluid.rho.numpy()[:some], rho[:some], rtol=1e-5)
        np.testing.assert_allclose(fluid.a.numpy()[:some], a[:some], rtol=0, atol=1e-4 * np.abs(a).max())

    yield Work("SPH", launch, check, STEPS * size / 1e6, "Mparticles")


if __name__ == "__main__":
    main(example, size=2000)
