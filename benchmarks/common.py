"""What the benchmarks share: cohere_core, a plain loop, clocks, the machine's name, tables."""

import contextlib
import io
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.fft
import scipy.ndimage
import torch

import farfield
from farfield.symmetry import metrics

SPEED_RECIPE, ITERATIONS = "2*(450*HIO+50*ER)", 1000

ABSENT = "not installed"

COHERE = {
    "shrink_wrap_trigger": [1, 20],
    "shrink_wrap_type": "GAUSS",
    "shrink_wrap_threshold": 0.1,
    "shrink_wrap_gauss_sigma": 1.0,
    "initial_support_area": [0.5, 0.5, 0.5],  # of each axis, of which a pattern has two
    "hio_beta": 0.9,
}


def cohere(
    pattern: np.ndarray,
    recipe: str,
    folder: Path,
    package: str = "np",
    gpu: int = -1,
    finish: Callable[[], None] = lambda: None,
    settings: Mapping[str, object] = COHERE,
) -> tuple[np.ndarray, float]:
    """Object and seconds an iteration of cohere_core on numpy ("np"), CuPy ("cp") or torch ("torch").

    Its start is random by the clock. It takes the inverse transform for the one to the far field, so its object is
    the complex conjugate of ours: no symmetric copy, which would be mirrored too.
    """
    from cohere_core.controller.phasing import Rec  # a GPU's machine may lack it

    np.save(folder / "data.npy", np.sqrt(pattern).astype(np.float32))
    with contextlib.redirect_stdout(io.StringIO()):
        run = Rec({**settings, "algorithm_sequence": recipe}, str(folder / "data.npy"), package, debug=True)
        run.init_dev(gpu)
        run.init_iter_loop()
        finish()
        begin = time.perf_counter()
        run.iterate()
        finish()
        seconds = time.perf_counter() - begin
    return (run.ds_image * run.support).conj(), seconds / run.iter_no


def plain_loop(pattern: np.ndarray, iterations: int = ITERATIONS) -> tuple[np.ndarray, float]:
    """Object and seconds an iteration of what one writes first: HIO, ER and shrinkwrap, scipy.fft, complex64."""
    amplitude = np.fft.ifftshift(np.sqrt(pattern)).astype(np.float32)
    rng = np.random.default_rng(0)
    phases = np.exp(2j * np.pi * rng.random(amplitude.shape)).astype(np.complex64)
    iterate = scipy.fft.ifft2(amplitude * phases)
    correlation = np.abs(scipy.fft.ifft2(amplitude**2))
    support, sigma = correlation > 0.04 * correlation.max(), 3.0
    begin = time.perf_counter()
    for iteration in range(iterations):
        field = scipy.fft.fft2(iterate)
        field *= amplitude / np.maximum(np.abs(field), 1e-15)
        projected = scipy.fft.ifft2(field)
        if iteration % 500 < 450:
            iterate = np.where(support, projected, iterate - np.float32(0.8) * projected)
        else:
            iterate = projected * support
        if iteration % 20 == 19:
            blurred = scipy.ndimage.gaussian_filter(np.abs(projected), sigma, mode="wrap")
            support, sigma = blurred > 0.25 * blurred.max(), max(0.95 * sigma, 1.0)
    return np.fft.fftshift(iterate), (time.perf_counter() - begin) / iterations


def relative_error(truth: torch.Tensor, objects: torch.Tensor) -> torch.Tensor:
    """Symmetry-adjusted MSE over the energy of each object."""
    return metrics.symmetry_adjusted_mse(truth, objects) / truth.abs().double().square().mean((-2, -1))


def finish(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def clock(device: torch.device, work: Callable[[], object], times: int = 1) -> float:
    """Seconds of a piece of work, of the device's own clock where it has one."""
    finish(device)
    if device.type == "cuda":
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(times):
            work()
        end.record()
        finish(device)
        return begin.elapsed_time(end) / 1000 / times
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def in_turns(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Medians of what each measures, round by round; the first round is not counted."""
    times = [[measured() for measured in contenders.values()] for _ in range(rounds + 1)]
    return dict(zip(contenders, np.median(times[1:], axis=0).tolist(), strict=True))


def machine(packages: Sequence[str]) -> str:
    """Name the processor that was measured on, and the packages that were measured with."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    return f"{processor}; Python {platform.python_version()}, farfield {farfield.__version__}, {versions}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ABSENT


def write(table: pd.DataFrame, target: Path, name: str, header: str) -> str:
    """Write a table as CSV, and with a header as Markdown, which is returned."""
    target.mkdir(parents=True, exist_ok=True)
    table.to_csv(target / f"{name}.csv", index=False, float_format="%.4g")
    cells = table.map(_cell)
    lines = [list(table.columns), ["---"] * len(table.columns), *cells.values.tolist()]
    text = f"{header}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    (target / f"{name}.md").write_text(text)
    return text


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
