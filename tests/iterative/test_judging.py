"""Whether a result is to be believed, and that what is wrong looks wrong: cases that users met."""

import re
import subprocess
import sys
import warnings

import pytest
import scipy.ndimage
import torch

from farfield import iterative
from farfield.iterative import Shrinkwrap, consensus, islands, judging, likelihood
from farfield.iterative.patterns import read_patterns
from farfield.physics import crystals, noise
from farfield.physics.diffraction import measure, photon_noise, to_frame
from farfield.symmetry import metrics

COUNT = 4


@pytest.fixture(scope="module")
def objects():
    return crystals.simulate(COUNT, 32, 31)


@pytest.fixture(scope="module")
def counts(objects):
    return counted(objects, 1e6)


@pytest.fixture(scope="module")
def found(counts):
    return iterative.reconstruct(counts, starts=5, free=0.05)


def counted(objects, photons, level=0.0):
    """Counts of a million photons or so, as whole numbers; a dark level beside them."""
    pattern = measure(objects)
    expected = pattern / pattern.sum((-2, -1), keepdim=True) * photons + level
    return torch.poisson(expected.double(), generator=torch.Generator().manual_seed(5)).float()


def errors(objects, found):
    """SA-MSE relative to predicting zero."""
    return metrics.symmetry_adjusted_mse(objects, found.objects) / objects.abs().square().mean((-2, -1))


def gapped():
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[20:22], mask[:, 40:42] = False, False
    return mask


def test_right_objects_are_solved_and_their_deviance_is_that_of_noise(objects, found):
    assert (errors(objects, found) < 0.02).all()  # one of four is .0004 or .0138, by the processor's digits
    assert found.solved.all()
    assert (found.deviance - 1).abs().max() < 0.1
    assert ((found.free_deviance > 0.8) & (found.free_deviance < 3)).all()  # islands are told by what is beside them
    assert (found.agreement < 0.02).all()


def test_wrong_objects_are_not(objects, counts):
    wrong = iterative.reconstruct(counts, "20*HIO+20*ER", starts=1)
    assert (errors(objects, wrong) > 0.05).all()
    assert not wrong.solved.any()


def test_one_noisy_start_agrees_with_nothing(counts):
    one = iterative.reconstruct(counts[:2], starts=1)
    assert one.agreement.isnan().all()
    assert not one.solved.any()


def test_without_noise_a_start_is_solved_by_itself(objects):
    one = iterative.reconstruct(measure(objects[:3]), seed=4)
    assert one.solved.tolist() == (one.residual < 2e-5).tolist()
    assert one.solved.any()
    assert one.deviance.isnan().all()


def test_starts_brought_together_come_to_what_photons_allow(objects):
    """Support unknown, as near as error reduction from the truth in the true support; a start alone is not."""
    faint = counted(objects, 1e5)
    truth = to_frame(objects, 64, 64)
    floor = iterative.reconstruct(faint, "200*ER", start=truth, support=truth != 0, fixed=True)
    together, alone = (iterative.reconstruct(faint, starts=10, keep=keep) for keep in ("consensus", "best"))
    excess = [(errors(objects, made) / errors(objects, floor)).median() for made in (together, alone)]
    assert excess[0] < 1.5 < 2 < excess[1]


@pytest.mark.parametrize("value", [3e4, 4e5, 2.0**32 - 1])
def test_a_hot_pixel_is_named_never_solved_and_masked_on_request(objects, counts, value):
    hot = counts.clone()
    hot[:, 12, 40] = value
    with pytest.warns(UserWarning, match=r"hot pixel|flagged.*mask_outliers=True"):
        spoilt = iterative.reconstruct(hot, starts=2)
    assert not spoilt.solved.any()
    masked = iterative.reconstruct(hot, starts=5, mask_outliers=True)
    assert (errors(objects, masked) < 0.01).all()
    assert masked.solved.all()


NAMED = """
import torch, farfield
from farfield.iterative import watch
hot = farfield.measure(farfield.simulate(1, 32, seed=3))
hot[0, 12, 40] = hot.max() / 2
farfield.reconstruct(hot, "ER", starts=1)
next(watch(hot, "ER"))
"""


def test_a_warning_names_the_line_that_called(tmp_path):
    script = tmp_path / "named.py"  # on its own, for the tests' checks of shapes are calls, too
    script.write_text(NAMED)
    said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stderr
    assert re.findall(r"named\.py:(\d+): UserWarning: 1 hot pixel", said) == ["6", "7"]


@pytest.mark.parametrize("value", [0.0, -1.0, torch.nan, 2.0**32 - 1])
def test_gaps_are_found(objects, counts, value):
    mask = gapped()
    gaps = counts.where(mask, torch.tensor(value))
    masked = iterative.reconstruct(gaps, starts=5, mask_outliers=True)
    right = errors(objects, masked) < 0.01
    assert right.sum() >= COUNT - 1
    assert not (masked.solved & (errors(objects, masked) > 0.05)).any()
    if value < 0 or value != value:
        with pytest.raises(ValueError, match=r"; mask them \(mask=, True where measured\)"):
            iterative.reconstruct(gaps)
    else:
        with pytest.warns(UserWarning, match="of one value"):
            assert not iterative.reconstruct(gaps, starts=2).solved.any()


def test_what_is_advised_of_gaps_helps(objects, counts):
    mask = gapped()
    gaps = counts.where(mask, torch.tensor(torch.nan))
    with pytest.raises(ValueError, match="pass mask == 0 if 0 means good"):
        read_patterns(gaps, (~mask).int())
    with pytest.raises(ValueError, match=r"leaves 6 % of pattern|leaves 6 %; .*invert it with ~mask"):
        iterative.reconstruct(gaps, mask=~mask)
    followed = iterative.reconstruct(gaps, starts=5, mask=(~mask).int() == 0)
    assert (errors(objects, followed) < 0.01).sum() >= COUNT - 1


@pytest.mark.parametrize("level", [10.0, 30.0])
def test_a_dark_level_is_hinted_at_and_taken_off(objects, level):
    dark = counted(objects, 1e6, level)
    with pytest.warns(UserWarning, match=r'no place along its border.*background="corners"'):
        assert not iterative.reconstruct(dark, starts=2).solved.any()
    told = iterative.reconstruct(dark, starts=5, background=level)
    for made in (told, iterative.reconstruct(dark, starts=5, background="corners")):
        right = errors(objects, made) < 0.05
        assert right.sum() >= COUNT - 1
        assert (made.solved == right).sum() >= COUNT - 1


def test_no_clean_pattern_is_suspected(objects):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pattern in (measure(objects), counted(objects, 1e4), counted(objects, 1e8)):
            iterative.reconstruct(pattern, "ER")


def test_a_support_that_constrains_nothing_is_never_solved(counts, objects):
    whole = torch.ones(64, 64, dtype=torch.bool)
    options = {"recipe": "5*ER", "starts": 3, "support": whole, "fixed": True}
    fitted = iterative.reconstruct(counts[:1], keep="best", **options)
    assert fitted.residual.max() < 1e-5
    assert (fitted.iterations == 15).all()  # it ends no start, nor the making of more
    assert not fitted.solved.any()
    assert not iterative.reconstruct(counts[:1], **options).solved.any()
    assert not iterative.reconstruct(measure(objects[:1]), **options).solved.any()


def test_a_volume_is_refused_and_a_stack_declared(objects):
    stack = measure(crystals.simulate(32, 16, 0))
    with pytest.raises(ValueError, match=r"32 × 32 × 32, .*volume; pass dimensions=3 if it is one, or dimensions=2"):
        iterative.reconstruct(stack)
    assert iterative.reconstruct(stack, "ER", dimensions=2).objects.shape == (32, 32, 32)
    with pytest.raises(ValueError, match="at least 16 frames"):
        iterative.reconstruct(stack[:8], dimensions=3)


def test_positive_objects_are_found_where_complex_ones_are_not():
    """Overlapping discs in a frame sampled twice: sparse, real and positive."""
    generator = torch.Generator().manual_seed(3)
    places = torch.rand(4, 8, 2, generator=generator) * 24 + 4
    grid = torch.stack(torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij"), -1)
    discs = ((grid - places[:, :, None, None]).norm(dim=-1) < 3).sum(1).to(torch.complex64)
    pattern = measure(discs)
    frame = torch.zeros(64, 64, dtype=torch.bool)
    frame[16:48, 16:48] = True
    options = {"recipe": "400*HIO+100*ER", "starts": 3, "keep": "best", "support": frame, "fixed": True}
    positive = iterative.reconstruct(pattern, values="positive", **options)
    assert (errors(discs, positive) < 0.05).sum() >= 2
    assert (errors(discs, iterative.reconstruct(pattern, **options)) > 0.1).all()
    assert (positive.objects.real >= 0).all()
    assert (positive.objects.imag == 0).all()
    with pytest.raises(ValueError, match="of ER, HIO, RAAR for positive objects, got DM in it"):
        iterative.reconstruct(pattern, "5*DM", values="positive")


def test_islands_are_a_share_of_the_measured_pixels_and_none_near_the_centre(counts):
    patterns = read_patterns(counts, gapped()).hold(0.05, torch.full((COUNT,), 3.0), 7)
    held, free = patterns.held, patterns.free
    assert (held <= free).all()
    share = held.sum((-2, -1)) / patterns.measured()
    assert ((share > 0.045) & (share < 0.07)).all()
    line = torch.arange(-32.0, 32.0)
    near = torch.fft.ifftshift(torch.hypot(line[:, None], line) < islands.CENTRE * 3)
    assert not held[:, near].any()
    again = islands.islands(held | ~free, 0.05, torch.full((COUNT,), 3.0), 7, patterns.number)
    assert torch.equal(again, held)


def test_free_pixels_see_what_the_others_are_made_to_fit(counts):
    loose = torch.zeros(64, 64, dtype=torch.bool)
    loose[13:51, 13:51] = True
    made = iterative.reconstruct(counts, "300*HIO+100*ER", starts=2, support=loose, fixed=True, free=0.05)
    assert (made.free_deviance > 2 * made.deviance).all()


@pytest.mark.parametrize("photons", [1e4, 1e6, 1e8])
def test_the_photon_is_found_at_any_scale(objects, photons):
    pattern = measure(objects)
    scaled = photon_noise(pattern, photons, 3)
    expected = (pattern.sum((-2, -1)) / photons).tolist()
    assert [noise.photon(one) for one in scaled] == pytest.approx(expected, rel=1e-6)
    assert all(one != one for one in map(noise.photon, pattern))


@pytest.mark.parametrize("expected", [0.01, 0.3, 2.0, 40.0, 5000.0])
def test_the_mean_deviance_is_that_of_draws(expected):
    mean = torch.full((200_000,), expected, dtype=torch.float64)
    drawn = noise.deviance(torch.poisson(mean, generator=torch.Generator().manual_seed(1)), mean)
    spread = float(drawn.std() / len(drawn) ** 0.5)
    assert float(noise.mean_deviance(mean[:1])) == pytest.approx(float(drawn.mean()), abs=5 * spread + 1e-3)


def test_what_is_likeliest_is_nearer_than_where_error_reduction_ends(objects):
    faint, truth = counted(objects, 1e5), to_frame(objects, 64, 64)
    options = {"start": truth, "support": truth != 0, "fixed": True, "keep": "best"}
    ended = iterative.reconstruct(faint, "200*ER", **options)
    shifted = (torch.fft.ifftshift(x, dim=(-2, -1)) for x in (ended.objects, ended.support))
    likely = likelihood.likeliest(*shifted, read_patterns(faint), 10)
    likely = torch.fft.fftshift(likely, dim=(-2, -1))
    pixels = ended.support.sum((-2, -1))
    deviance = judging.deviances(torch.fft.ifftshift(likely, dim=(-2, -1)), pixels, read_patterns(faint))[0]
    assert (deviance < ended.deviance).all()
    assert errors(objects, ended._replace(objects=likely)).mean() < errors(objects, ended).mean()


def test_a_group_is_what_the_best_came_to_and_the_consensus_its_first(counts, found):
    group = iterative.reconstruct(counts, starts=5, free=0.05, keep="group")
    assert group.objects.shape == (COUNT, consensus.KEPT, 64, 64)
    assert torch.equal(group.objects[:, 0], found.objects)
    assert torch.equal(group.agreement, found.agreement)
    assert (group.residual[:, 0] == found.residual).all()


def test_starts_that_do_not_agree_on_what_detectors_falsify_come_together_another_way(monkeypatch):
    """A beam that is half a pixel less coherent: more than noise is left, and starts end apart."""
    sharp = measure(crystals.simulate(COUNT, 32, 4)).double()
    sharp *= 1e7 / sharp.sum((-2, -1), keepdim=True)
    blurred = torch.from_numpy(scipy.ndimage.gaussian_filter(sharp.numpy(), (0, 0.5, 0.5)))
    counts = torch.poisson(blurred, generator=torch.Generator().manual_seed(4)).float()
    settled = iterative.reconstruct(counts, starts=5)
    monkeypatch.setattr(iterative.reconstruction, "LONG", consensus.LONG._replace(settles=False))
    plain = iterative.reconstruct(counts, starts=5)
    assert (settled.deviance > 1).all()
    assert (settled.deviance <= plain.deviance + 0.01).all()
    assert (settled.deviance < 0.95 * plain.deviance).any()
    assert (settled.iterations > plain.iterations).any()


def test_a_variance_says_of_merged_frames_and_of_readout_what_their_noise_is(objects):
    generator = torch.Generator().manual_seed(3)
    flat = 0.8 + 0.4 * torch.rand(64, 64, generator=generator)
    scale = 1e6 / measure(objects).sum((-2, -1), keepdim=True)
    centred = torch.fft.ifftshift(to_frame(objects * scale.sqrt(), 64, 64), dim=(-2, -1))
    expected = scale * measure(objects)
    merged = torch.poisson(3 * flat * expected, generator=generator) / (3 * flat)
    read = torch.poisson(expected, generator=generator) + 30 + 3 * torch.randn(expected.shape, generator=generator)
    cases = ((merged, merged / (3 * flat), None), (read, expected + 9, 30.0))
    for pattern, variance, background in cases:
        patterns = read_patterns(pattern, variance=variance, background=background)
        deviance, _ = judging.deviances(centred, torch.zeros(COUNT), patterns)
        assert (deviance - 1).abs().max() < 0.1
    quanta = read_patterns(merged, quantum=1 / (3 * flat)), read_patterns(merged, variance=merged / (3 * flat))
    exact, found = (judging.deviances(centred, torch.zeros(COUNT), x)[0] for x in quanta)
    assert torch.allclose(found, exact, rtol=0.02)  # where nothing came, a variance tells no flat field


def test_a_variance_may_be_anything_where_nothing_was_measured(counts):
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[:, :2] = False
    variance = (counts + 1).masked_fill(~mask, torch.nan)
    found = iterative.reconstruct(counts, "10*HIO", variance=variance, mask=mask)
    assert found.deviance.isfinite().all()
    variance[0, 5, 7] = torch.nan
    with pytest.raises(ValueError, match=r"got nan in pixel \(5, 7\) of pattern 0; mask such pixels"):
        iterative.reconstruct(counts, "10*HIO", variance=variance, mask=mask)


def test_amplitudes_of_counts_are_refused_and_noise_smaller_than_that_of_counts_is_told(counts):
    with pytest.raises(
        ValueError, match=r"got pattern 1 .* amplitudes of counts; pass their squares, intensity \*\* 2"
    ):
        iterative.reconstruct(torch.stack([counts[0], counts[1].sqrt()]))
    with pytest.warns(UserWarning, match="pattern 0 has less noise than counts have .* by quantum= or variance="):
        iterative.reconstruct(counts[0], quantum=10 * noise.photon(counts[0]), budget=400)


def test_neighbours_without_noise_change_nothing(objects, counts):
    mixed = torch.stack([measure(objects[0]), counts[1]])
    options = {"recipe": "30*HIO+10*ER", "starts": 2, "shrinkwrap": Shrinkwrap(threshold=0.2)}
    together = iterative.reconstruct(mixed, **options)
    number = torch.stack([counts[0], counts[1]])  # a start's phases depend on its pattern's number
    assert torch.equal(together.objects[1], iterative.reconstruct(number, **options).objects[1])


def test_thresholds_take_turns_and_the_oversampling_is_estimated(objects):
    made = iterative.reconstruct(measure(objects[:2]), "20*ER", starts=4, shrinkwrap=Shrinkwrap(threshold=(0.3, 0.1)))
    assert made.starts.threshold[0].tolist() == pytest.approx([0.3, 0.1, 0.3, 0.1])
    for oversampling in (2, 3):
        pattern = measure(objects, oversampling)
        side = iterative.asking.read_asked(pattern).options.side
        assert float(side.mean()) == pytest.approx(32, rel=0.15)
        assert float(side.std()) < 0.25 * 32


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"free": 0.9}, "expected free, a share of the pixels, from 0 to 0.5, got 0.9"),
        ({"quantum": 0}, "expected quantum as a number above 0"),
        ({"quantum": torch.ones(3)}, r"of shape \(64, 64\), got float32 of shape \(3,\)"),
        ({"background": -1.0}, "expected background as a number, not below 0, .*corners"),
        ({"background": "edges"}, "got 'edges'"),
        (
            {"variance": -torch.ones(64, 64)},
            r"expected a finite variance above 0 .*, got -1 in pixel \(0, 0\) of pattern 0",
        ),
        (
            {"variance": torch.ones(3)},
            r"expected variance as a number, .* \(64, 64\), got float32 of shape \(3,\)",
        ),
        ({"variance": 0}, r"expected a finite variance above 0 wherever there is intensity, got 0 in pixel"),
        ({"variance": torch.ones(64, 64), "quantum": 1}, "expected a quantum or a variance, got both"),
        ({"values": "negative"}, "expected values as one of complex, real, positive, got 'negative'"),
        ({"fixed": True}, "expected a support to keep as it is, got none"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(counts, options, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        iterative.reconstruct(counts, **options)
    assert re.search(r"; \w", str(refused.value))
