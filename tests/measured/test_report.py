import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from farfield.iterative.reconstruction import reconstruct
from farfield.measured import crystal, cxi, report, space, trust
from farfield.physics.diffraction import measure
from farfield.study import figures
from farfield.symmetry import metrics
from farfield.symmetry.actions import align

NAMES = ("pattern", "fit", "difference", "magnitude", "phase", "starts", "prtf")


@pytest.fixture(scope="module")
def result(objects) -> cxi.Result:
    """A crystal from its pattern, a gap of the detector masked; figures of starts that can be told apart."""
    pattern = 100 * measure(objects[0])
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[:, 50] = False
    pattern[~mask] = torch.nan
    found = reconstruct(pattern, starts=3, mask=mask, keep="all")
    same = align(found.objects[:1].expand_as(found.objects), found.objects)
    mode, weights = trust.modes(same.numpy())
    return cxi.Result(
        object=same[0].numpy(),
        support=found.support[0].numpy(),
        starts=same.numpy(),
        mode=mode,
        weight=float(weights[0]),
        pattern=pattern.numpy(),
        mask=mask.numpy(),
        table={
            "residual": found.residual.numpy(),
            "deviance": np.array([1.0, 4.0, 2.0]),
            "free_deviance": np.array([1.5, 5.0, 3.0]),
            "threshold": np.array([0.2, 0.2, 0.1]),
            "kept": np.array([True, False, True]),
        },
        results={},
        configuration={},
        steps=[],
        verdict="not believed: the starts disagree by 100 % (make more, or give --support or --positive), and so on "
        "and so forth",
        prtf=metrics.phase_retrieval_transfer_function(pattern, found.objects, mask=mask).numpy(),
        width=0.01,
        geometry=cxi.Geometry(1.5e-15, 0.5, (55e-6, 55e-6)),
    )


def panels(figure: Figure) -> dict:
    return dict(zip(NAMES, figure.axes, strict=True))


def test_pattern_and_fit_are_the_same_where_the_object_is_right(result):
    shown = panels(report.draw(result, "a crystal"))
    pattern, fit, difference = (shown[name].images[0] for name in NAMES[:3])
    np.testing.assert_array_equal(np.ma.getmaskarray(pattern.get_array()), ~result.mask)
    np.testing.assert_array_equal(np.ma.getmaskarray(difference.get_array()), ~result.mask)
    assert pattern.get_clim() == fit.get_clim()
    bright = result.mask & (result.pattern > 200)
    np.testing.assert_allclose(fit.get_array()[bright], result.pattern[bright], rtol=1e-2)
    assert not np.ma.getmaskarray(fit.get_array()).any()
    wrong = panels(report.draw(result._replace(object=result.object / 2), "half of it"))["difference"].images[0]
    expected = np.sqrt(result.pattern[bright])
    np.testing.assert_allclose(wrong.get_array()[bright], expected, rtol=2e-2)


def test_the_object_is_cut_out_round_its_support(result):
    shown = panels(report.draw(result, "a crystal"))
    magnitude, phase = (shown[name].images[0].get_array() for name in ("magnitude", "phase"))
    rows, columns = (np.ptp(np.flatnonzero(result.support.any(axis))) + 1 for axis in (1, 0))
    side = len(magnitude)
    assert magnitude.shape == phase.shape == (side, side)
    assert max(rows, columns) < side <= 1.4 * max(rows, columns)
    assert (~np.ma.getmaskarray(phase)).sum() == result.support.sum()
    assert magnitude.max() == pytest.approx(np.abs(result.object).max())


def test_a_support_at_the_edge_of_the_frame_stays_inside(result):
    support = np.zeros((64, 64), bool)
    support[:3, 40:] = True
    shown = panels(report.draw(result._replace(support=support), "an edge"))
    assert (~np.ma.getmaskarray(shown["phase"].images[0].get_array())).sum() == support.sum()


def test_starts_stand_by_threshold_and_kept_ones_are_filled(result):
    axes = panels(report.draw(result, "a crystal"))["starts"]
    kept, dropped, kept_free, dropped_free, _ = axes.lines
    np.testing.assert_array_equal(kept.get_ydata(), [1, 2])
    assert (list(dropped.get_ydata()), list(kept_free.get_ydata()), list(dropped_free.get_ydata())) == (
        [4],
        [1.5, 3],
        [5],
    )
    assert dropped.get_markerfacecolor() == "white" != kept.get_markerfacecolor()
    assert kept.get_xdata().round().tolist() == [1, 0]
    assert dropped.get_xdata() > kept.get_xdata()[0]  # of its threshold the worse
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.1", "0.2"]


def test_without_known_noise_starts_are_shown_by_their_residual(result):
    unknown = {name: np.full(3, np.nan) for name in ("deviance", "free_deviance")}
    axes = panels(report.draw(result._replace(table={**result.table, **unknown}), "not counted"))["starts"]
    kept, dropped = axes.lines
    np.testing.assert_array_equal([*kept.get_ydata(), *dropped.get_ydata()], result.table["residual"][[0, 2, 1]])
    assert axes.get_title() == "residual of starts"
    no_free = {"free_deviance": np.full(3, np.nan)}
    axes = panels(report.draw(result._replace(table={**result.table, **no_free}), "all measured"))["starts"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["measured"]


def test_the_resolution_is_told_in_nm_where_the_geometry_is_known(result):
    curve = np.where(np.arange(32) < 20, 0.9, 0.2)
    fallen = result._replace(prtf=curve)
    told = [text.get_text() for text in panels(report.draw(fallen, ""))["prtf"].texts]
    assert told == [f"1/e at 20: {2 * np.pi / 0.2:.3g} nm"]
    unknown = panels(report.draw(fallen._replace(width=None), ""))["prtf"]
    assert [text.get_text() for text in unknown.texts] == ["1/e at 20"]
    agreed = panels(report.draw(result._replace(prtf=np.ones(32)), ""))["prtf"]
    assert not agreed.texts


@pytest.fixture(scope="module")
def scanned(result) -> cxi.Result:
    """A box, strained along one axis, as starts of a rocking scan would have found it."""
    box = np.zeros((24, 32, 28), np.complex64)
    box[8:15, 10:22, 9:18] = np.exp(1e-2j * np.arange(7.0) ** 2)[:, None, None]
    steps = space(np.diag([0.01, 0.02, 0.02])[:, ::-1], (20, 0, 20))
    same = {"object": box, "support": box != 0, "prtf": np.where(np.arange(12) < 9, 0.9, 0.2)}
    return result._replace(**same, width=0.02, space=steps)


def test_a_scan_is_drawn_in_nm_where_its_place_is_known_and_in_voxels_else(scanned):
    figure = report.draw_volume(scanned, crystal.in_laboratory(scanned.object, scanned.space), "a scan")
    title, *verdict, size = figure.get_suptitle().splitlines()
    assert (title, " ".join(verdict)) == ("a scan", scanned.verdict)
    assert size.startswith("crystal of ")
    assert "nm (x, y, z), voxels of" in size
    axes = {one.get_title(): one for one in figure.axes}
    assert [text.get_text() for text in axes["agreement of starts (PRTF)"].texts] == ["1/e at 0.18: 34.9 nm"]
    assert "surface, in the colours of displacement" in axes
    assert len(axes["deviance of starts (1: noise)"].lines) == 5
    bare = scanned._replace(width=None, space=None)
    figure = report.draw_volume(bare, crystal.in_voxels(bare.object, support=bare.support), "a scan")
    assert figure.get_suptitle().splitlines()[-1] == "crystal of 9 × 12 × 7 voxels (columns, rows, frames)"
    axes = {one.get_title(): one for one in figure.axes}
    assert [text.get_text() for text in axes["agreement of starts (PRTF)"].texts] == ["1/e at 0.375"]  # 9 of 24
    assert "surface, in the colours of phase" in axes


def test_the_verdict_stands_above_and_the_file_is_the_same_every_time(result, tmp_path):
    figure = report.draw(result, "a crystal")
    first, *verdict = figure.get_suptitle().splitlines()
    assert (first, " ".join(verdict)) == ("a crystal", result.verdict)
    figures.save(figure, tmp_path / "a.png")
    figures.save(report.draw(result, "a crystal"), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
