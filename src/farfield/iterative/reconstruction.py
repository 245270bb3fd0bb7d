"""Objects from intensities alone: any number of starts, brought together, and judged without the truth."""

from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool
from tqdm import tqdm

from farfield.iterative import suspicion
from farfield.iterative.asking import read_asked
from farfield.iterative.consensus import KEPT, LONG
from farfield.iterative.escalation import BUDGET, GROUP, LEAST, escalate, most_starts
from farfield.iterative.expectation import expect
from farfield.iterative.patterns import Background, Patterns
from farfield.iterative.recipe import total
from farfield.iterative.results import Results
from farfield.iterative.rounds import Rounds
from farfield.iterative.shrinkwrap import Shrinkwrap
from farfield.iterative.starts import Starts
from farfield.iterative.workers import check_memory, enough_memory, workers
from farfield.machine.passes import compiling
from farfield.machine.shapes import Intensity, Objects, PerSample, PerSampleBool, PerSampleInt, check_whole

Keep = Literal["consensus", "group", "best", "mean", "all"]

GROUPS = ("consensus", "group")
"""What is kept of starts that were brought together."""


class Reconstruction(NamedTuple):
    """What was made of each pattern, and whether to believe it.

    With ``keep="all"`` or ``"group"`` the first three have one more axis before the frame's, the best first.

    Attributes
    ----------
    objects : torch.Tensor, complex64, shape (…, M, M)
        In the pattern's frame, content in the centre.
    residual : torch.Tensor, float32, shape (…)
        ‖√I - |F(object)|‖ / ‖√I‖ over the measured pixels.
    support : torch.Tensor, bool, shape (…, M, M)
        Its last support.
    iterations : torch.Tensor, int64, shape (…)
        Made for the pattern, all starts together.
    starts : Starts
        Every start in figures.
    deviance : torch.Tensor, float32, shape (…)
        Of the object, the best, per degree of freedom: about 1 if noise is all that it leaves, whatever the counts;
        NaN where the noise is not known.
    free_deviance : torch.Tensor, float32, shape (…)
        The same of the pixels that `free` held: they had no part in finding the object. NaN if none were.
    agreement : torch.Tensor, float32, shape (…)
        Median of ‖A - B‖² / ‖A‖² between the best start and its rivals, aligned: those kept that explain the pattern
        about as well. NaN without one.
    solved : torch.Tensor, bool, shape (…)
        Whether the pattern is explained to rounding, or to what its noise, detector and beam leave, by starts that
        agree to 3 % or of which all others fail; and this by a support of less than half of the measured pixels.
        Never with outliers that are not masked, or a dark level of which nothing is said.
    """

    objects: Objects
    residual: PerSample
    support: Bool[torch.Tensor, "*batch height width"]
    iterations: PerSampleInt
    starts: Starts
    deviance: PerSample
    free_deviance: PerSample
    agreement: PerSample
    solved: PerSampleBool


def reconstruct(
    intensity: Intensity,
    recipe: str | None = None,
    *,
    starts: int | None = None,
    budget: int | None = None,
    seed: int = 0,
    mask: Bool[torch.Tensor, "..."] | None = None,
    support: Bool[torch.Tensor, "..."] | None = None,
    fixed: bool = False,
    values: str = "complex",
    free: float | int = 0.0,
    quantum: float | int | torch.Tensor | None = None,
    variance: float | int | torch.Tensor | None = None,
    background: Background = None,
    oversampling: int | float | None = None,
    beta: float | int | None = None,
    shrinkwrap: Shrinkwrap | None = None,
    start: torch.Tensor | None = None,
    keep: Keep = "consensus",
    dimensions: int | None = None,
    mask_outliers: bool = False,
    progress: bool = False,
) -> Reconstruction:
    """Reconstruct objects from their far-field intensities, support unknown, and tell whether to believe them.

    Parameters
    ----------
    intensity : torch.Tensor, float, shape (…, M, M)
        DC in the centre, oversampled at least twice. It is computed where the tensor lies, CPU or GPU. A rocking scan
        is no stack of patterns but a volume, (…, D, H, W), of ``dimensions=3``.
    recipe : str, optional
        Such as ``2*(450*HIO+50*ER)``; algorithms are those of `ALGORITHMS`. If only `starts` are told, `RECIPE`, or
        `WARM_RECIPE` if there is a `start`.
    starts : int, optional
        Most starts of each pattern, all by one recipe, random but for the first if there is a `start` (whose recipe
        and shrinkwrap they have: give them those of random ones to let these count). They are ranked by the Fourier
        residual, of the amplitudes that they aim at (see `budget`), per degree of freedom that the support leaves,
        never by the truth; a pattern that one start has solved (residual below 2e-5) gets no more. 1 if a recipe, a
        start, beta or shrinkwrap is told, or a `keep` that brings none together.
    budget : int, optional
        Iterations of a pattern, at most, where none of these is told: starts escalate (`iterative.escalation`). They
        end when one explains all but a millionth of the energy, or, where the noise is known, when those brought
        together leave no more than it. By default `BUDGET`. They aim at the amplitudes that counts let expect
        (`iterative.expectation`); starts of a told form, as recipes are defined, and as suits detectors that leave
        more than noise, at the roots of counts.
    seed : int
        Each start depends on (seed, pattern, start) alone, whatever the batches and cores.
    mask : torch.Tensor, bool, shape (M, M) or (…, M, M), optional
        True where the intensity was measured. Elsewhere (beamstop, gaps, dead pixels) it may have any value,
        NaN too, and the far field is left free.
    support : torch.Tensor, bool, shape (M, M) or (…, M, M), optional
        The first support; by default the magnitude of the `start`, blurred and thresholded as by shrinkwrap's first
        update, or, of a random start, the autocorrelation above a share of its maximum.
    fixed : bool
        Keep the `support` as it is.
    values : {"complex", "real", "positive"}
        What an object's pixels may be: with the last two, of the algorithms ER, HIO and RAAR alone.
    free : float
        Share of the measured pixels that iterations do not see, in islands of a speckle's size and none near the DC:
        they judge what is found (`free_deviance`), and choose nothing.
    quantum : float or torch.Tensor, shape (M, M) or (…, M, M), optional
        Intensity of one photon: 1 for counts, 1 / flat after a flat field. By default found, if all pixels are whole
        multiples of one number; else nothing is known of the noise.
    variance : float or torch.Tensor, shape (M, M) or (…, M, M), optional
        Of the intensity in each pixel, instead of a quantum: what readout adds, or merging of frames takes off.
    background : float, torch.Tensor of shape (M, M) or (…, M, M), or "corners", optional
        Intensity that is there without an object: a number, one for each pixel, or as corners tell (`noise.corners`).
    oversampling : float, optional
        Pattern pixels per object pixel and axis, whole or not: tells how large objects are, and so how far to blur
        them. By default estimated, from the autocorrelation of each pattern.
    beta : float, optional
        Feedback of HIO, relaxation of RAAR and DM; by default 0.85, or that of escalating starts.
    shrinkwrap : Shrinkwrap, optional
        How the support follows the iterate; by default `FOLLOW`, or `WARM` if there is a `start`.
    start : torch.Tensor, complex or float, shape (h, w) or (…, h, w), optional
        Objects from which the first start begins, such as a network's: the measured amplitudes get the phases of
        their far fields. Of any scale, in any frame up to the pattern's, the origin in ``[h // 2, w // 2]``.
    keep : {"consensus", "group", "best", "mean", "all"}
        The best of what the best starts came to together (`KEPT`, or `GROUP` of those that escalate), each in the
        support that their mean has (`consensus`), or all of these; the best start as it was made; the mean of the
        better half of the starts, aligned with the best; or every start. The latter two make every start.
    dimensions : {2, 3}, optional
        Axes of a pattern, the last ones. 3 is for volumes, (…, D, H, W) wherever (…, M, M) is written here, each axis
        even and of a length of its own, the first of 16 frames or more; 2 says that as many patterns as pixels a side
        are a stack. Of volumes σ is scaled by the object's extent along each axis; what a beamstop hides is left to
        the projections (patterns: solved for); outliers are looked for frame by frame along the first axis.
    mask_outliers : bool
        Mask what no far field shows: single hot pixels, flags, lines of one value (`physics.outliers`). Without it
        they are warned of, and nothing is called solved.
    progress : bool
        Show a tqdm bar.

    Returns
    -------
    Reconstruction

    Raises
    ------
    ValueError
        If the patterns are not square (volumes may be oblong), even and finite, have nothing measured or no DC in the
        centre, the start is not of their shape, not finite or empty, or an option is out of range; or if a GPU's
        memory, or for volumes any, does not suffice.

    Examples
    --------
    >>> import farfield
    >>> crystals = farfield.simulate(2, 16, seed=0)
    >>> found = farfield.reconstruct(farfield.measure(crystals), seed=0)
    >>> found.solved.tolist(), bool((farfield.symmetry_adjusted_mse(crystals, found.objects) < 1e-6).all())
    ([True, True], True)
    """
    if keep not in get_args(Keep):
        raise ValueError(f"expected keep as one of {', '.join(get_args(Keep))}, got {keep!r}; choose one")
    fixed_form = {"recipe": recipe, "starts": starts, "start": start, "beta": beta, "shrinkwrap": shrinkwrap}
    told = [name for name, value in fixed_form.items() if value is not None]
    told += [f"keep={keep!r}"] * (keep not in GROUPS)
    most = _read_budget(budget, told)
    starts = 1 if starts is None else starts
    check_whole("starts", starts, 1)
    with enough_memory():  # a decorator would stand where warnings look for who called
        patterns, options, suspect = read_asked(
            intensity,
            recipe,
            seed=seed,
            mask=mask,
            support=support,
            fixed=fixed,
            values=values,
            free=free,
            quantum=quantum,
            variance=variance,
            background=background,
            oversampling=oversampling,
            beta=beta,
            shrinkwrap=shrinkwrap,
            start=start,
            dimensions=dimensions,
            mask_outliers=mask_outliers,
        )
        every, count = keep in ("mean", "all"), len(patterns.number)
        together = 1 if keep not in GROUPS else GROUP if most else min(starts, KEPT)
        if patterns.dims > 2:
            check_memory(count, patterns.frame, starts, together, intensity.device, every)
        if most:
            patterns = expect(patterns, options.side)
            results, work = Results(patterns, most_starts(most), GROUP, every=False), most
        else:
            slots = starts if every else min(starts, KEPT)
            results, work = Results(patterns, starts, slots, every), starts * total(options.steps)
        with (
            tqdm(
                total=count * (1 if most else starts), disable=not progress, unit="pattern" if most else "start"
            ) as bar,
            workers(intensity.device) as (go, threads),
            compiling(patterns.amplitude.numel() * work),
        ):
            rounds = Rounds(results, patterns, go, threads, bar)
            if most:
                escalate(rounds, options, most)
            else:
                rounds.make(options, range(starts), torch.ones_like(results.done))
                results.sort()
                if keep in GROUPS:
                    rounds.bring_together(options, ~results.done, LONG)
            bar.update(bar.total - bar.n)
        return _finished(results, patterns, suspect, keep, intensity.shape[: -patterns.dims])


def _read_budget(budget: int | None, told: list[str]) -> int | None:
    """Give the iterations that starts may escalate to; None where their form is told instead."""
    if budget is None:
        return None if told else BUDGET
    if told:
        raise ValueError(
            f"expected a budget, or the form of starts, got both budget= and {', '.join(told)}; leave one out"
        )
    check_whole("budget", budget, LEAST)
    return budget


def _finished(
    results: Results, patterns: Patterns, suspect: torch.Tensor, keep: Keep, batch: torch.Size
) -> Reconstruction:
    """Judge the best of each pattern, and bring all to the shape that was asked for."""
    agreement = results.agreement(patterns.number)
    if keep == "mean":
        results.average(patterns)
    *found, believed = results.judge(patterns, patterns.number, agreement)
    # One start has no rival, but that is no evidence.
    solved = (results.done | (believed & (results.rank.isfinite().sum(-1) > 1))) & ~suspect
    suspicion.look_at_noise(found[0])
    objects, residual, support = results.objects, results.residual, results.support
    if keep not in ("all", "group"):
        objects, residual, support = objects[:, 0], residual[:, 0], support[:, 0]
    made = max(1, int(results.starts.iterations.any(0).sum()))  # of those that a budget could hold
    starts = Starts(*(table[:, :made].reshape((*batch, made)) for table in results.starts))
    iterations = results.spent()
    shaped = (
        x.reshape((*batch, *x.shape[1:])) for x in (objects, residual, support, iterations, *found, agreement, solved)
    )
    objects, residual, support, iterations, *judged = shaped
    return Reconstruction(objects, residual, support, iterations, starts, *judged)
