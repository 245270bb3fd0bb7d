"""What photons allow: Poisson's law for counts, and how far counts may lie from a model that is right."""

from functools import cache, reduce
from itertools import product

import torch
import torch.nn.functional as F

from farfield.machine.shapes import frame_axes

LEAST_EXPECTED = 1e-2
"""Counts that a model's darkest pixels are taken for: one photon where it has none would weigh beyond measure."""

LEAST_SPECKLE = 1e-6
"""Photons that are expected of the darkest speckle."""

LARGEST_SHAPE = 1e7
"""Of a gamma distribution; from it on the mean root is the root of the mean in single precision."""

COUNTABLE = 1e4
"""Photons in a pixel up to which single precision tells whole multiples of a photon from other numbers."""

LARGEST_TABLED = 1e3
"""Expected counts above which the mean deviance of a pixel is 1 to a few parts in ten thousand."""

LARGEST_WHOLE = 2**53
"""Up to which double precision tells whole numbers from others."""

DARKEST = 0.5
"""Share of the border's median that a tenth of the border lies below: at 0.1 to 0.2 of it for crystals.

Of volumes, whose cells are means over many speckles, it is 0.46 at most for 60 crystals of 1e6, 1e7 and 1e8 photons;
with a level that holds 3 % of these it is below 0.5 for fewer than 10 of 180.
"""

CELLS = 16
"""Along each axis of a volume, for a level to be read of their means: so few are its counts that quantiles are 0."""

CORNER = 6
"""A corner of a volume is this part of each axis."""

FLAT = 0.9
"""Share of a pattern's mean from which a level is the pattern: that of a point is flat."""

FEWEST = 16
"""Pixels that must be whole multiples of a photon before a pattern is taken for counts."""

SAMPLED = 61
"""Of so many pixels one is looked at first: where these are no multiples, all are not."""


def deviance(counts: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """Tell how far counts lie from what is expected, pixel by pixel: twice the log-likelihood ratio of Poisson's law.

    Parameters
    ----------
    counts, expected : torch.Tensor, float64, shape (…)
        In photons.

    Returns
    -------
    torch.Tensor, float64, shape (…)
        ``2 [m - o + o ln(o / m)]`` with o counts and m expected, about 1 where m is right and large
        (`mean_deviance` elsewhere).
    """
    expected = expected.clamp_min(LEAST_EXPECTED)
    return 2 * (expected - counts + torch.xlogy(counts, counts / expected))


@cache
def _tabled() -> tuple[torch.Tensor, torch.Tensor]:
    """Expected counts, in even steps of their logarithm, and the mean deviance of counts drawn from each."""
    expected = torch.logspace(-3, 3, 601, dtype=torch.float64)[:, None]
    counts = torch.arange(0, 1500, dtype=torch.float64)
    weights = (torch.xlogy(counts, expected) - expected - torch.lgamma(counts + 1)).exp()
    return expected[:, 0], (weights * deviance(counts, expected)).sum(-1)


def mean_deviance(expected: torch.Tensor) -> torch.Tensor:
    """Tell what `deviance` is on average where counts are drawn from what is expected.

    Parameters
    ----------
    expected : torch.Tensor, float64, shape (…)
        In photons.

    Returns
    -------
    torch.Tensor, float64, shape (…)
        1 for many photons, up to 1.15 for about one, and nearly nothing for none.
    """
    grid, table = (x.to(expected.device) for x in _tabled())
    place = (expected.nan_to_num().clamp(grid[0], grid[-1]).log10() + 3) * 100
    low = place.long().clamp_max(len(grid) - 2)
    found = torch.lerp(table.take(low), table.take(low + 1), place - low)
    return torch.where(expected > LARGEST_TABLED, 1, found)


def expected_amplitude(counts: torch.Tensor, mean: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """Tell which amplitude to expect where so many photons were counted, and so many are usual thereabouts.

    The root of a count of 0 or 1 says little of a speckle that is expected to have a tenth of a photon; what is usual
    says the rest. Speckles' intensities are distributed exponentially (Wilson, Acta Cryst. 2, 318, 1949), and counts
    by Poisson's law, so that what is to be expected is known (French & Wilson, Acta Cryst. A34, 517, 1978).

    Parameters
    ----------
    counts : torch.Tensor, float64, shape (…)
        In photons, background included.
    mean : torch.Tensor, float64, shape (…)
        Mean intensity of the speckles thereabouts, in photons, above 0, without the background.
    background : torch.Tensor, float64, shape (…)
        In photons.

    Returns
    -------
    torch.Tensor, float64, shape (…)
        In roots of photons; exact without a background, else of the gamma distribution with the mean and variance of
        the best linear estimate.
    """
    weight = mean.square() / (mean.square() + mean + background)
    intensity = torch.lerp(mean, counts - background, weight).clamp_min(LEAST_SPECKLE)
    shape = intensity.square() / (weight * (intensity + background)).clamp_min(LEAST_SPECKLE**2)
    shape = shape.clamp_max(LARGEST_SHAPE)  # beyond, logarithms of gamma functions would differ by rounding
    return intensity.sqrt() * (torch.lgamma(shape + 0.5) - torch.lgamma(shape)).exp() / shape.sqrt()


def photon(pattern: torch.Tensor) -> float:
    """Find the intensity of one photon in a pattern of counts, as `photons` does.

    Parameters
    ----------
    pattern : torch.Tensor, float, shape (…)
        Measured pixels.

    Returns
    -------
    float
    """
    return float(photons(pattern.reshape(1, -1))[0]) if pattern.numel() else torch.nan


def photons(patterns: torch.Tensor) -> torch.Tensor:
    """Find the intensity of one photon in each pattern of counts, of whatever scale.

    Parameters
    ----------
    patterns : torch.Tensor, float, shape (batch, …)
        Not below zero, and zero where nothing was measured.

    Returns
    -------
    torch.Tensor, float64, shape (batch,)
        The largest value of which the pixels are whole multiples; NaN if there is none, as without noise.
    """
    pixels = patterns.flatten(1)
    least, largest = F.threshold(pixels, 0, torch.inf).amin(1), pixels.amax(1)
    enough = pixels.sign().sum(1) >= FEWEST
    whole = (pixels.frac().amax(1) == 0) & (largest < LARGEST_WHOLE)
    found = torch.where(enough & whole, least.double(), torch.nan)
    some = (found > 1).nonzero()[:, 0]  # what divides all divides the least
    found[some] = _divisor(pixels[some].double(), found[some])
    some = (enough & ~whole).nonzero()[:, 0]
    found[some] = _quantum(pixels[some], least[some].double())
    return found


def counts_of(
    patterns: torch.Tensor, variance: torch.Tensor, measured: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find photons and a background by which counts have the variance of intensities: a shifted Poisson law.

    What a pixel varies beyond its photons, such as by readout, is a background's (Snyder, Hammoud & White 1993).

    Parameters
    ----------
    patterns : torch.Tensor, float, shape (batch, *frame)
    variance : torch.Tensor, float64, shape (batch, *frame)
        In units of the squared intensity, above zero where there is intensity.
    measured : torch.Tensor, bool, shape (batch, *frame)

    Returns
    -------
    tuple of torch.Tensor, float64, shape (batch, *frame)
        Intensity of one photon, and of the background.
    """
    intensity, variance = (x.double().masked_fill(~measured, 0) for x in (patterns, variance))
    usual = variance.sum(frame_axes(variance), keepdim=True) / intensity.sum(frame_axes(intensity), keepdim=True)
    photon = torch.minimum(usual, torch.where(intensity > 0, variance / intensity, torch.inf))
    return photon, (variance / photon - intensity).clamp_min(0)


def _divisor(pixels: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
    """Find the greatest common divisor of whole numbers, (batch,), of which one is the least above zero."""
    found = least.clone()
    left = torch.arange(len(found), device=found.device)
    while len(left):
        divisor = found[left, None]
        rest = pixels[left] - divisor * (pixels[left] / divisor).floor()
        less = F.threshold(rest, 0, torch.inf).amin(1)
        left, less = left[less < torch.inf], less[less < torch.inf]
        found[left] = less  # a multiple of the divisor, too
    return found


def _quantum(pixels: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
    """Find the largest share of the least pixel of which those that are not too bright are multiples, (batch,)."""
    found = torch.full_like(least, torch.nan)
    # The darkest pixel that was hit may hold a few photons. Some of the pixels rule out most of the shares.
    shares = least[:, None] / torch.arange(1, 11, device=least.device)
    possible = _are_whole(_countable(pixels[:, None, ::SAMPLED].double(), shares))
    while len(left := possible.any(1).nonzero()[:, 0]):
        share = possible[left].int().argmax(1)
        quantum = shares[left, share]
        counts = _countable(pixels[left].double(), quantum)
        enough = counts.sign().sum(1) >= FEWEST  # of smaller shares fewer are not too bright
        fits = enough & _are_whole(counts) & (counts.amax(1) > share + 1)
        found[left[fits]] = quantum[fits]
        possible[left, share] = False
        possible[left[fits | ~enough]] = False
    return found


def _countable(pixels: torch.Tensor, quantum: torch.Tensor) -> torch.Tensor:
    """Pixels in units of a quantum, and zero for those that single precision does not tell from other numbers."""
    return F.threshold(pixels / -quantum[..., None], -COUNTABLE, 0.0).neg_()


def _are_whole(counts: torch.Tensor) -> torch.Tensor:
    """Tell which rows are whole numbers, to single precision."""
    return counts.round().sub_(counts).abs_().sub_(counts, alpha=1e-6).amax(-1) < 1e-3


def corners(patterns: torch.Tensor, measured: torch.Tensor, quantum: torch.Tensor) -> torch.Tensor:
    """Read the level under patterns in dark places: the corners' tenth percentile, and what noise takes off it.

    A crystal's tails reach into the corners, so their median would be too much. Of a volume, whose counts are few, it
    is the mean of the darkest two opposite corners.

    Parameters
    ----------
    patterns : torch.Tensor, float, shape (batch, *frame)
        DC in the centre.
    measured : torch.Tensor, bool, shape (batch, *frame)
    quantum : torch.Tensor, float64, shape (batch,)
        Intensity of one photon, NaN where it is not known.

    Returns
    -------
    torch.Tensor, float64, shape (batch,)
        0 where a tenth of the corners is empty, or nothing was measured there.
    """
    if patterns.ndim > 3:
        return _darkest_corners(patterns, measured)
    low = _quantiles(patterns, measured, reduce(torch.logical_and, _outer(patterns)), [0.1])[0]
    # Of a level of b photons the tenth percentile is about b - 1.28 √b + 1/2.
    photons = (low / quantum - 0.5).clamp_min(0)
    level = quantum * (0.64 + (0.41 + photons).sqrt()) ** 2
    return torch.where((low > 0) & quantum.isfinite(), level, low)


def dark_level(patterns: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Find a level under patterns that no object made: a far field has dark places, also along the border.

    Parameters
    ----------
    patterns : torch.Tensor, float, shape (batch, *frame)
        DC in the centre.
    measured : torch.Tensor, bool, shape (batch, *frame)

    Returns
    -------
    torch.Tensor, float64, shape (batch,)
        The tenth percentile along the border, an eighth of the side wide, where it lies above `DARKEST` of the
        median and below `FLAT` of the mean; else 0. Of volumes it is that of the means over cells.
    """
    if patterns.ndim > 3:
        patterns, measured = _cells(patterns, measured)
    axes = frame_axes(patterns)
    low, middle = _quantiles(patterns, measured, reduce(torch.logical_or, _outer(patterns)), [0.1, 0.5])
    mean = torch.where(measured, patterns, 0).double().sum(axes) / measured.sum(axes).clamp_min(1)
    return torch.where((low > DARKEST * middle) & (low < FLAT * mean), low, 0.0)


def _darkest_corners(volumes: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Find the least mean of two opposite corners, (batch,); 0 where nothing was measured in any."""
    ends = [(slice(side // CORNER), slice(side - side // CORNER, side)) for side in volumes.shape[1:]]
    opposite = zip(product(*ends), product(*(pair[::-1] for pair in ends)), strict=True)
    found = []
    for pair in list(opposite)[:4]:
        parts = [(volumes[:, *corner], measured[:, *corner]) for corner in pair]
        total = sum(torch.where(seen, part, 0).double().sum((1, 2, 3)) for part, seen in parts)
        found.append(total / sum(seen.sum((1, 2, 3)) for _, seen in parts))
    return torch.stack(found).nan_to_num(torch.inf).amin(0).nan_to_num(posinf=0.0)


def _cells(volumes: torch.Tensor, measured: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring volumes to the means over cells of what was measured, and tell which of them have any."""
    size = [max(1, side // CELLS) for side in volumes.shape[1:]]
    seen = F.avg_pool3d(measured.float(), size)
    return F.avg_pool3d(torch.where(measured, volumes, 0).float(), size) / seen.clamp_min(1e-9), seen > 0


def _outer(patterns: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Pixels of frames that lie in the outermost sixteenth of each axis, on either side."""
    lines = [torch.arange(side, device=patterns.device) for side in patterns.shape[1:]]
    near = [torch.minimum(line, len(line) - 1 - line) < max(len(line) // 16, 1) for line in lines]
    return torch.meshgrid(*near, indexing="ij")


def _quantiles(
    patterns: torch.Tensor, measured: torch.Tensor, where: torch.Tensor, share: list[float]
) -> torch.Tensor:
    """Quantiles of the measured pixels in a region, (shares, batch); 0 where there are none."""
    values = torch.where(measured[:, where], patterns[:, where].double(), torch.nan)
    wanted = torch.tensor(share, dtype=torch.float64, device=patterns.device)
    return values.nanquantile(wanted, dim=-1).nan_to_num(0.0)
