"""Volumes: the same reconstruction, of three axes."""

import warnings

import pytest
import scipy.ndimage
import torch

from farfield import iterative
from farfield.iterative import (
    Shrinkwrap,
    asking,
    beamstop,
    consensus,
    islands,
    patterns,
    results,
    shrinkwrap,
    workers,
)
from farfield.physics import polyhedra
from farfield.physics.diffraction import measure, to_frame
from farfield.symmetry import volumes

AXES = (-3, -2, -1)
SHORT = "60*HIO+20*RAAR+20*ER"


@pytest.fixture(scope="module")
def objects():
    return polyhedra.simulate(3, 16, 31)


@pytest.fixture(scope="module")
def clean(objects):
    return measure(objects, 2, dimensions=3)


@pytest.fixture(scope="module")
def counts(clean):
    """A million photons, and the objects' scale."""
    expected = clean.double() / clean.double().sum(AXES, keepdim=True) * 1e6
    return torch.poisson(expected, generator=torch.Generator().manual_seed(5)).float()


@pytest.fixture(scope="module")
def found(counts):
    return iterative.reconstruct(counts, dimensions=3, free=0.05)


def errors(objects, found):
    """Errors of objects whose scale is that of counts."""
    scale = (objects.abs().square().sum(AXES) / found.objects.abs().square().sum(AXES)).sqrt()
    return volumes.relative_error(objects, found.objects * scale[:, None, None, None])


def test_volumes_are_solved_by_default(objects, clean):
    found = iterative.reconstruct(clean, dimensions=3)
    assert found.solved.all()
    assert found.objects.shape == found.support.shape == clean.shape
    assert (volumes.relative_error(objects, found.objects) < 1e-5).all()
    alone = iterative.reconstruct(clean[0], dimensions=3)
    assert alone.objects.shape == (32, 32, 32)
    assert alone.residual.shape == alone.solved.shape == ()
    assert torch.equal(alone.objects, found.objects[0])


def test_noisy_volumes_are_explained_to_noise_and_believed(objects, found):
    assert found.solved.all()
    assert (errors(objects, found) < 0.05).all()
    assert (found.deviance - 1).abs().max() < 0.1
    assert ((found.free_deviance > 0.8) & (found.free_deviance < 3)).all()
    assert not (found.agreement > 0.01).any()  # NaN where all others failed


def test_the_recipe_in_three_axes_is_written_out_by_hand(clean):
    """Three iterations of ER, then one of HIO, in a support that stays."""
    support = torch.zeros(32, 32, 32, dtype=torch.bool)
    support[6:25, 8:22, 7:27] = True
    options = {"support": support, "fixed": True, "seed": 4, "dimensions": 3}
    *_, last = iterative.stages.watch(clean[:1], "3*ER+HIO", beta=0.9, **options)
    asked = asking.read_asked(clean[:1], "ER", **options)
    run = iterative.starts.begin(asked.patterns, asked.options, torch.zeros(1, dtype=torch.int64))
    inside, amplitude, x = torch.fft.ifftshift(support), asked.patterns.amplitude[0], run.iterate[0]
    for _ in range(4):
        field = torch.fft.fftn(x)
        image = torch.fft.ifftn(amplitude * field / field.abs().clamp_min(1e-20))
        x = image * inside
    expected, _ = results.centre((image * inside)[None], inside[None])
    assert torch.allclose(last.objects, expected, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_frames_may_be_of_any_even_size_along_each_axis(axis):
    """Here one twice as long, as a scan with steps half as wide has it: objects are as long there."""
    fine = polyhedra.simulate(2, 32, 31)
    steps = [slice(None, None, 1 if other == axis else 2) for other in range(3)]
    stretched, cubic = fine[(slice(None), *steps)], fine[:, ::2, ::2, ::2]
    pattern = measure(stretched, 2, dimensions=3)
    asked = asking.read_asked(pattern, dimensions=3)
    ratio = asked.options.side[:, axis] / asking.read_asked(measure(cubic, 2, 3), dimensions=3).options.side[:, axis]
    assert ((ratio > 1.8) & (ratio < 2.2)).all()
    found = iterative.reconstruct(pattern[0], dimensions=3)
    assert found.solved
    assert volumes.relative_error(stretched[0], found.objects) < 1e-3


def test_the_blur_has_a_width_for_each_axis():
    image = torch.zeros(1, 16, 20, 24, dtype=torch.complex64)
    image[0, 4:9, 6:14, 5:17] = 1
    sigma = torch.tensor([[0.8, 1.5, 3.0]])
    blurred = scipy.ndimage.gaussian_filter(image[0].abs().numpy(), sigma[0].tolist(), mode="wrap", truncate=8)
    expected = torch.from_numpy(blurred > 0.3 * blurred.max())
    assert (shrinkwrap.update(image, sigma, torch.tensor([0.3]))[0] != expected).sum() <= 4
    same = [shrinkwrap.update(image, x, torch.tensor([0.3])) for x in (torch.tensor([1.5]), torch.full((1, 3), 1.5))]
    assert torch.equal(*same)


def test_extents_are_told_axis_by_axis():
    box = torch.zeros(1, 32, 48, 64, dtype=torch.bool)
    box[0, 8:24, 20:28, 30:34] = True
    side = shrinkwrap.object_side(torch.fft.ifftshift(box, dim=AXES))[0]
    assert (side[0] / side[1]).item() == pytest.approx(2, rel=0.05)
    assert (side[1] / side[2]).item() == pytest.approx(2, rel=0.05)
    assert side.prod().item() == pytest.approx(16 * 8 * 4 / (2 * shrinkwrap.CRYSTAL) ** 3, rel=1e-4)


def test_what_was_not_measured_is_free(objects, clean):
    mask = torch.ones(32, 32, 32, dtype=torch.bool)
    mask[9], mask[:, 20:22] = False, False
    behind = torch.where(mask, clean, torch.nan)
    found = iterative.reconstruct(behind[:1], dimensions=3, mask=mask)
    assert found.solved.all()
    assert (volumes.relative_error(objects[:1], found.objects) < 1e-2).all()


def test_a_beamstop_is_told_and_left_to_projections(clean):
    mask = torch.ones(32, 32, 32, dtype=torch.bool)
    mask[14:19, 14:19, 14:19] = False
    read = patterns.read_patterns(clean[:1], mask, dims=3)
    assert beamstop.fill(read) is read
    assert int(beamstop.hidden(read).sum()) == 5**3
    found = iterative.reconstruct(clean[:1], dimensions=3, mask=mask, budget=400)
    assert found.objects.isfinite().all()


def test_islands_are_balls_and_none_is_near_the_centre(counts):
    held = patterns.read_patterns(counts, dims=3).hold(0.05, torch.full((3,), 3.0), 7).held
    share = held.float().mean(AXES)
    assert ((share > 0.05) & (share < 0.052)).all()
    line = torch.fft.fftfreq(32, 1 / 32)
    radius = (line[:, None, None].square() + line[:, None].square() + line.square()).sqrt()
    assert not (held & (radius < islands.CENTRE * 3)).any()
    # A ball of a radius of 1.5 has 19 pixels, each with others beside it.
    beside = torch.stack([held.roll(step, axis) for axis in AXES for step in (1, -1)]).any(0)
    assert (beside | ~held).all()


@pytest.mark.parametrize(
    "options",
    [
        {"values": "positive"},
        {"keep": "all", "starts": 2},
        {"keep": "mean", "starts": 3},
        {"recipe": "10*DM+3*AD+2*ALM+5*ER"},
        {"oversampling": 2},
        {"background": "corners"},
        {"quantum": torch.ones(32, 32, 32)},
        {"variance": torch.full((1, 32, 32, 32), 3.0)},
        {"mask_outliers": True},
        {"start": torch.ones(8, 8, 8)},
        {"shrinkwrap": Shrinkwrap(threshold=0.15, sigma=2.0)},
    ],
    ids=str,
)
def test_every_option_is_there(counts, options):
    recipe = {"recipe": "20*HIO+10*ER"} | options
    found = iterative.reconstruct(counts[:1], dimensions=3, **recipe)
    lead = (1, 2) if options.get("keep") == "all" else (1,)
    assert found.objects.shape == (*lead, 32, 32, 32)
    assert found.objects.abs().amax(AXES).gt(0).all()
    assert found.residual.isfinite().all()
    assert found.residual.max() < 0.9


def test_volumes_together_are_volumes_alone(counts):
    options = {"recipe": SHORT, "starts": 2, "keep": "best", "dimensions": 3, "seed": 2}
    both = iterative.reconstruct(counts[:2], **options)
    alone = iterative.reconstruct(counts[0], **options)
    assert torch.equal(both.objects[0], alone.objects)
    assert torch.equal(both.starts.residual[0], alone.starts.residual)
    assert both.starts.residual.shape == (2, 2)


def test_starts_of_a_volume_come_together(counts):
    found = iterative.reconstruct(counts[0], SHORT, starts=2, dimensions=3, keep="group")
    assert found.objects.shape == (2, 32, 32, 32)
    assert found.deviance < 0.8 * found.starts.deviance.amin()  # in the support of their mean
    assert torch.equal(found.support[0], found.support[1])


def test_a_volume_may_be_moved_between_pixels():
    generator = torch.Generator().manual_seed(0)
    box = torch.zeros(2, 16, 18, 20, dtype=torch.complex64)
    box[:, 4:8, 5:9, 6:12] = torch.randn(2, 4, 4, 6, dtype=torch.complex64, generator=generator)
    by = torch.tensor([[0.25, 0.0, 0.0], [0.0, 0.0, 0.0]])
    moved = consensus._moved(consensus._moved(box, by), 3 * by)
    assert torch.allclose(moved[0], box[0].roll(1, 0), atol=1e-5)
    assert torch.equal(moved[1], box[1])


def test_objects_are_centred_along_every_axis():
    frame = torch.zeros(1, 16, 20, 24, dtype=torch.complex64)
    frame[0, 15, 3, 20] = 1
    objects, support = results.centre(frame, frame.abs() > 0)
    assert objects[0, 8, 10, 12] == 1
    assert support[0, 8, 10, 12]
    assert objects.abs().sum() == support.sum() == 1


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((32, 32, 32), {}, "looks like a volume; pass dimensions=3 if it is one"),
        ((4, 32, 32), {"dimensions": 3}, "at least 16 frames .*, got 4 of 32 × 32; leave dimensions=3 out"),
        ((32, 32), {"dimensions": 3}, r"expected a volume, .*got float32 of shape \(32, 32\)"),
        ((17, 32, 32), {"dimensions": 3}, "even number of pixels along each axis, 8 or more, got 17 × 32 × 32"),
        ((16, 32, 6), {"dimensions": 3}, "got 16 × 32 × 6"),
        ((32, 32, 32), {"dimensions": 4}, "dimensions as 2 or 3, got 4"),
        ((16, 16, 16), {"dimensions": 3, "mask": torch.ones(16, 16, dtype=torch.bool)}, "expected a mask"),
        ((16, 16, 16), {"dimensions": 3, "start": torch.ones(20, 8, 8)}, "a frame of at most 16 × 16 × 16"),
        ((16, 16, 16), {"dimensions": 3, "start": torch.ones(8, 8)}, "a frame of at most 16 × 16 × 16"),
        (
            (16, 16, 16),
            {"dimensions": 3, "variance": torch.ones(16, 16)},
            r"variance as a number, or a tensor of such of shape \(16, 16, 16",
        ),
        ((16, 16, 16), {"dimensions": 3, "background": torch.ones(16, 16)}, r"shape \(16, 16, 16\), or \"corners\""),
    ],
)
def test_what_is_no_volume_is_refused_with_advice(shape, options, expected):
    with pytest.raises(ValueError, match=expected):
        iterative.reconstruct(torch.ones(shape), "ER", **options)


def test_a_volume_with_its_dc_in_the_corner_or_a_hot_pixel_is_refused(clean):
    with pytest.raises(ValueError, match=r"fftshift\(intensity, dim=\(-3, -2, -1\)\)"):
        iterative.reconstruct(torch.fft.ifftshift(clean, dim=AXES), dimensions=3)
    hot = clean[0].clone()
    hot[1, 30, 2] = 1e4 * hot.max()
    with pytest.raises(ValueError, match=r"single pixel of pattern 0, at \(1, 30, 2\)"):
        iterative.reconstruct(hot, dimensions=3)


def test_a_flagged_frame_is_suspected_and_no_clean_one(clean, counts):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pattern in (clean, counts):
            iterative.reconstruct(pattern, "ER", dimensions=3)
    flagged = counts.clone()
    flagged[1, 3, 4, 5] = 2.0**32 - 1
    with pytest.warns(UserWarning, match=r"1 flagged pixel .*\(1, 3, 4, 5\)"):
        found = iterative.reconstruct(flagged, dimensions=3, budget=400)
    assert not found.solved[1]
    assert torch.equal(to_frame(found.objects[0], 34, 34, 34)[1:-1, 1:-1, 1:-1], found.objects[0])


def test_what_memory_does_not_hold_is_refused_with_what_would_do(counts, monkeypatch):
    monkeypatch.setattr(workers, "free_memory", lambda device: 2**23)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    with pytest.raises(ValueError, match=r"0.0\d+ GiB .* for 1 of 32 × 32 × 32 voxels.*bin by 2.*starts=1"):
        iterative.reconstruct(counts[0], SHORT, starts=5, dimensions=3)
    found = iterative.reconstruct(counts[0], SHORT, starts=1, dimensions=3)  # as it was told to
    assert found.objects.shape == (32, 32, 32)


def test_objects_of_every_start_take_memory_too(monkeypatch):
    monkeypatch.setattr(workers, "free_memory", lambda device: 2**23)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    frame, device = torch.Size((32, 32, 32)), torch.device("cpu")
    workers.check_memory(1, frame, 100, 1, device)
    with pytest.raises(ValueError, match=r"expected 0.0305 GiB of free memory"):  # 110 + 9 · 99 bytes a voxel
        workers.check_memory(1, frame, 100, 1, device, every=True)


def test_one_start_takes_as_much_memory_on_many_cores_as_on_one(monkeypatch):
    monkeypatch.setattr(workers, "free_memory", lambda device: 2**23)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    frame, device = torch.Size((32, 32, 32)), torch.device("cpu")
    workers.check_memory(1, frame, 1, 1, device)
    with pytest.raises(ValueError, match=r"starts=1\), which takes 0.0034 GiB$"):
        workers.check_memory(1, frame, 64, 1, device)
    with pytest.raises(ValueError, match=r"or crop, or give fewer at a time$"):
        workers.check_memory(64, frame, 1, 1, device)
