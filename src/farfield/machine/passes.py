"""Passes over stacks of images, one for what torch would make in several: memory, not arithmetic, is what they cost.

On a CPU numba compiles each to one loop, the first time that it is called (a few seconds, kept on disk). On a GPU
torch does the same, operation by operation, and those of every iteration compiled to one kernel where it pays. A test
holds the roads to each other.
"""

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import numba
import numpy as np
import torch

from farfield.machine.devices import compiles

LEAST_POWER = 1e-36
"""Added to what is divided by: far below any power that counts."""


NOT_KEPT = (
    "compiled loops are not kept, as neither farfield's folder nor a home can be written, and every process takes "
    "seconds to compile them; set NUMBA_CACHE_DIR to a folder of yours that can"
)


def compiled(loop: Callable) -> Callable:
    """Compile a loop over arrays: no Python inside, no checks of bounds, NaN and infinity not to be relied upon."""
    # Tests wrap every function to check its shapes; numba needs the bare one.
    bare, options = inspect.unwrap(loop), {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(bare)
    except RuntimeError:  # numba finds no place: as in a container without a home
        warnings.warn(NOT_KEPT, RuntimeWarning, stacklevel=1)  # the same line each time, so it is said once
        return numba.njit(**options)(bare)


PAYS = 2e11
"""Pixels gone through from which compiling pays on a GPU: 4 s, 16 the first time, for 3e-11 s a pixel (H100)."""

_compiling = ContextVar("compiling", default=False)


@contextmanager
def compiling(pixels: float | int) -> Iterator[None]:
    """Compile what is made within on a GPU, if so many pixels are to be gone through that it pays."""
    token = _compiling.set(pixels >= PAYS)
    try:
        yield
    finally:
        _compiling.reset(token)


@cache
def _kernel(definition: Callable) -> Callable:
    """Compile a pass over any number of pixels; complex ones as pairs of numbers, as torch's compiler wants it."""
    return torch.compile(inspect.unwrap(definition), dynamic=True)


def _on_gpu(definition: Callable, images: torch.Tensor, *rest: object) -> torch.Tensor:
    """Make a pass over complex images: operation by operation, or as one kernel."""
    fused = _compiling.get() and compiles(images.device)
    pixels = torch.view_as_real(images.reshape(-1))
    others = (x.expand_as(images).reshape(-1) if isinstance(x, torch.Tensor) else x for x in rest)
    others = (torch.view_as_real(x) if isinstance(x, torch.Tensor) and x.is_complex() else x for x in others)
    return torch.view_as_complex((_kernel(definition) if fused else definition)(pixels, *others)).view_as(images)


def _flat(images: torch.Tensor, like: torch.Tensor | None = None) -> np.ndarray:
    """Pixels of one line, as many as another stack has: compiled loops check no bounds."""
    if like is not None and images.shape != like.shape:  # at 64² a needless call is a twentieth of a loop
        images = images.expand_as(like)
    return images.contiguous().numpy().ravel()


@compiled
def _modulus(field, amplitude, factor):
    factor = np.float32(factor)
    for i in range(field.size):
        z = field[i]
        field[i] = z * (factor * amplitude[i] / np.sqrt(z.real * z.real + z.imag * z.imag + np.float32(LEAST_POWER)))


@compiled
def _modulus_where_measured(field, amplitude, free, factor):
    factor = np.float32(factor)
    for i in range(field.size):
        z = field[i]
        scale = amplitude[i] / np.sqrt(z.real * z.real + z.imag * z.imag + np.float32(LEAST_POWER))
        field[i] = z * (factor * (np.float32(1) if free[i] else scale))


def _modulus_of_pairs(field, amplitude, free, factor):
    # Far below any modulus that counts, and as `LEAST_POWER` in what it makes of nothing: nothing.
    scale = amplitude / torch.hypot(field[:, 0], field[:, 1]).clamp_min(LEAST_POWER**0.5)
    scale = scale if free is None else scale.masked_fill(free, 1)
    return field * (scale * factor)[:, None]


def give_modulus(
    field: torch.Tensor, amplitude: torch.Tensor, free: torch.Tensor | None, factor: float
) -> torch.Tensor:
    """Give a far field an amplitude, keeping its phases, and multiply it by a factor.

    Parameters
    ----------
    field : torch.Tensor, complex64, shape (…)
        Contiguous; what becomes of it is not said.
    amplitude : torch.Tensor, float32, the same shape
    free : torch.Tensor, bool, the same shape, or None
        Where the field keeps its amplitude.
    factor : float

    Returns
    -------
    torch.Tensor, complex64, shape (…)
    """
    if not field.is_cpu:
        return _on_gpu(_modulus_of_pairs, field, amplitude, free, factor)
    _give_modulus(_flat(field), _flat(amplitude, field), None if free is None else _flat(free, field), factor)
    return field


def _give_modulus(field: np.ndarray, amplitude: np.ndarray, free: np.ndarray | None, factor: float) -> None:
    if free is None:
        _modulus(field, amplitude, factor)
    else:
        _modulus_where_measured(field, amplitude, free, factor)


@compiled
def _relax(iterate, projected, support, old, new, following):
    old, new = np.float32(old), np.float32(new)
    for i in range(iterate.size):
        x, p = iterate[i], projected[i]
        outside = complex(old * x.real + new * p.real, old * x.imag + new * p.imag)
        following[i] = p if support[i] else outside


def _relax_pairs(iterate, projected, support, old, new):
    return torch.where(support[:, None], projected, torch.add(old * iterate, projected, alpha=new))


def relax(
    iterate: torch.Tensor, projected: torch.Tensor, support: torch.Tensor, old: float, new: float
) -> torch.Tensor:
    """Take the projection inside the support, and old × iterate + new × projection outside of it.

    Parameters
    ----------
    iterate, projected : torch.Tensor, complex64, shape (…)
    support : torch.Tensor, bool, the same shape
    old, new : float

    Returns
    -------
    torch.Tensor, complex64, shape (…)
    """
    if not iterate.is_cpu:
        return _on_gpu(_relax_pairs, iterate, projected, support, old, new)
    following = torch.empty_like(iterate, memory_format=torch.contiguous_format)
    _relax(_flat(iterate), _flat(projected, iterate), _flat(support, iterate), old, new, _flat(following))
    return following


def project_and_relax(
    count: int,
    old: float,
    new: float,
    iterate: torch.Tensor,
    support: torch.Tensor,
    amplitude: torch.Tensor,
    free: torch.Tensor | None = None,
    dims: int = 2,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the far field its amplitude and `relax`, again and again, on a CPU.

    The same to the bit as one by one, but views of what stays are made once, and memory is taken once: at 64² they
    cost half as much as the transforms. The iterate's own memory is used again.

    Parameters
    ----------
    count : int
        At least 1.
    old, new : float
        As for `relax`.
    iterate : torch.Tensor, complex64, shape (…, M, M)
        What becomes of it is not said.
    support : torch.Tensor, bool, the same shape
    amplitude : torch.Tensor, float32, the same shape
        DC first.
    free : torch.Tensor, bool, the same shape, optional
        Where the field keeps its amplitude.
    dims : int
        Axes of a frame, the last ones.

    Returns
    -------
    tuple of torch.Tensor, complex64, shape (…, M, M)
        The last iterate, and the projection of the one before.
    """
    iterate, axes = iterate.contiguous(), tuple(range(-dims, 0))
    factor = 1 / iterate.shape[-dims:].numel()
    inside, modulus = _flat(support, iterate), _flat(amplitude, iterate)
    unmeasured = None if free is None else _flat(free, iterate)
    # Two in turns: a loop that writes where it reads is not vectorised.
    turns = [torch.empty_like(iterate), iterate]
    before, pixels = _flat(iterate), [_flat(turn) for turn in turns]
    for number in range(count):
        field = projected = None  # two frames less to hold beside the next: volumes are large
        field = torch.fft.fftn(iterate, dim=axes)
        _give_modulus(_flat(field), modulus, unmeasured, factor)
        projected = torch.fft.ifftn(field, dim=axes, norm="forward")
        iterate, following = turns[number % 2], pixels[number % 2]
        _relax(before, _flat(projected), inside, old, new, following)
        before = following
    return iterate, projected


@compiled
def _magnitude(images, magnitude):
    for i in range(images.size):
        z = images[i]
        magnitude[i] = np.sqrt(z.real * z.real + z.imag * z.imag)


def magnitude(images: torch.Tensor) -> torch.Tensor:
    """Magnitudes, in a thirteenth of the time of torch's `abs` (64², one core), which guards its squares' range."""
    if not images.is_cpu:
        return images.abs()
    magnitude = images.new_empty(images.shape, dtype=images.dtype.to_real())
    _magnitude(_flat(images), _flat(magnitude))
    return magnitude


@compiled
def _misfit(field, amplitude, free, value):
    for k in range(len(field)):
        total = np.float32(0)
        for i in range(field.shape[1]):
            z = field[k, i]
            size = np.sqrt(z.real * z.real + z.imag * z.imag)
            left = np.float32(0) if free[k, i] else size - amplitude[k, i]
            total += left * left
            field[k, i] = z * (left / (size + np.float32(LEAST_POWER**0.5)))
        value[k] = total / 2


def misfit(field: torch.Tensor, amplitude: torch.Tensor, free: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tell half of the squared misfit of far fields' amplitudes, and its gradient.

    Parameters
    ----------
    field : torch.Tensor, complex64, shape (batch, M, M)
        Contiguous; what becomes of it is not said.
    amplitude : torch.Tensor, float32, the same shape
    free : torch.Tensor, bool, the same shape
        Where any amplitude fits.

    Returns
    -------
    tuple of torch.Tensor
        float32, shape (batch,), and complex64, shape (batch, M, M).
    """
    if not field.is_cpu:
        size = field.abs()
        left = (size - amplitude).masked_fill(free, 0)
        return left.square().flatten(1).sum(1) / 2, field * (left / size.clamp_min(LEAST_POWER**0.5))
    value = amplitude.new_empty(len(field))
    _misfit(*(_flat(x, field).reshape(len(field), -1) for x in (field, amplitude, free)), value.numpy())
    return value, field


NOTHING = np.float32(-1 + 2**-24)
"""Excess of no counts at all over what was expected: -1, but that its logarithm is a number."""


@compiled
def _excess(field, counts, dark, weight, excess):
    for i in range(field.size):
        z = field[i] * weight[i]
        expected = z.real * z.real + z.imag * z.imag + dark[i]
        field[i] = z
        excess[i] = max((counts[i] - expected) / expected, NOTHING)


@compiled
def _unlikelihood(field, counts, dark, weight, excess, logarithm, value):
    for k in range(len(field)):
        total = np.float32(0)
        for i in range(field.shape[1]):
            z, x = field[k, i], excess[k, i]
            expected = z.real * z.real + z.imag * z.imag + dark[k, i]
            total += counts[k, i] * logarithm[k, i] - expected * x
            field[k, i] = z * (np.float32(-0.5) * weight[k, i] * x)
        value[k] = total / 4


def unlikelihood(
    field: torch.Tensor, counts: torch.Tensor, dark: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tell a quarter of minus the logarithm of Poisson's likelihood of counts, and its gradient.

    Parameters
    ----------
    field : torch.Tensor, complex64, shape (batch, M, M)
        Contiguous, in roots of photons after the weight; what becomes of it is not said.
    counts, dark, weight : torch.Tensor, float32, the same shape
        What was counted; what is expected without an object, above zero; by what the field is multiplied.

    Returns
    -------
    tuple of torch.Tensor
        Above that of counts that are expected, float32, shape (batch,); and complex64, shape (batch, M, M).
    """
    if not field.is_cpu:
        field = field * weight
        expected = torch.view_as_real(field).square().sum(-1) + dark
        excess = ((counts - expected) / expected).clamp_min(NOTHING)
        terms = counts * excess.log1p() - expected * excess
        return terms.flatten(1).sum(1) / 4, field * (-0.5 * weight * excess)
    excess, value = dark.new_empty(field.shape), dark.new_empty(len(field))
    _excess(*(_flat(x, field) for x in (field, counts, dark, weight, excess)))
    parts = (field, counts, dark, weight, excess, excess.log1p())  # of torch, which goes through several at once
    _unlikelihood(*(_flat(x, field).reshape(len(field), -1) for x in parts), value.numpy())
    return value, field


@compiled
def _correlations(reference, estimate, products):
    for k in range(len(reference)):
        for i in range(reference.shape[1]):
            a, b = reference[k, i], estimate[k, i]
            products[k, 0, i] = a * complex(b.real, -b.imag)
            products[k, 1, i] = a * b


def correlations(reference: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
    """Far fields of the correlations with an estimate and with its flip, from those of the two.

    Parameters
    ----------
    reference, estimate : torch.Tensor, complex, shape (batch, rows, columns)

    Returns
    -------
    torch.Tensor, complex, shape (batch, 2, rows, columns)
        a b*, a b.
    """
    if not reference.is_cpu:
        return torch.stack([reference * estimate.conj(), reference * estimate], 1)
    count, *frame = reference.shape
    products = reference.new_empty(count, 2, *frame)
    _correlations(
        _flat(reference).reshape(count, -1), _flat(estimate).reshape(count, -1), _flat(products).reshape(count, 2, -1)
    )
    return products


@compiled
def _line_energy(objects, rows, columns):
    for k in range(len(objects)):
        for i in range(objects.shape[1]):
            total = 0.0
            for j in range(objects.shape[2]):
                z = objects[k, i, j]
                real, imag = np.float64(z.real), np.float64(z.imag)
                energy = real * real + imag * imag
                total += energy
                columns[k, j] += energy
            rows[k, i] = total


def line_energy(objects: torch.Tensor) -> torch.Tensor:
    """Energy of (batch, side, side) objects by row and by column: (2, batch, side), in double precision."""
    if not objects.is_cpu:
        power = torch.view_as_real(objects).double().square().sum(-1)
        return torch.stack([power.sum(-1), power.sum(-2)])
    energy = torch.zeros(2, *objects.shape[:2], dtype=torch.float64)
    _line_energy(objects.contiguous().numpy(), *energy.numpy())
    return energy


def window(objects: torch.Tensor, start: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Cut a window from each of (batch, rows, columns) at its own (batch, 2) start; zero outside."""
    rows = start[:, :1] + torch.arange(height, device=objects.device)
    columns = start[:, 1:] + torch.arange(width, device=objects.device)
    inside_rows = (rows >= 0) & (rows < objects.shape[-2])
    inside_columns = (columns >= 0) & (columns < objects.shape[-1])
    sample = torch.arange(len(objects), device=objects.device)[:, None, None]
    cut = objects[
        sample,
        rows.clamp(0, objects.shape[-2] - 1)[:, :, None],
        columns.clamp(0, objects.shape[-1] - 1)[:, None],
    ]
    return cut * (inside_rows[:, :, None] & inside_columns[:, None])
