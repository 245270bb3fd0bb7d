import numpy as np
import pandas as pd
import pytest
import xarray as xr

from farfield.machine import store
from farfield.study import pairing, rendering


def write_scores(path, errors, symmetry, method="unet"):
    """A score store with errors (seed, sample) of the best model; those of the final one must not be read."""
    errors = np.asarray(errors, dtype=float)
    dataset = xr.Dataset(
        {
            "sa_mse": (("seed", "checkpoint", "sample"), np.stack([np.full_like(errors, 99.0), errors], axis=1)),
            "energy": (("sample",), np.full(errors.shape[1], 2.0)),
            "seconds": (("seed", "checkpoint"), np.ones((len(errors), 2))),
        },
        coords={"seed": np.arange(len(errors)), "checkpoint": np.array(["final", "best"], dtype=object)},
        attrs={"method": method, "samples": 500, "symmetry": symmetry},
    )
    store.write_dataset(dataset, path)
    return path


@pytest.fixture
def pair(tmp_path):
    rng = np.random.default_rng(0)
    before = 1 + rng.random((2, 40))
    after = before - 0.4 - 0.2 * rng.random((2, 40))
    after[:, 0] = before[:, 0] + 0.1
    paths = write_scores(tmp_path / "b.zarr", before, "before"), write_scores(tmp_path / "a.zarr", after, "after")
    return paths, before / 2, after / 2


def test_each_crystal_is_held_against_itself(pair):
    (before_path, after_path), before, after = pair
    row = pairing.compare([before_path], [after_path]).iloc[0]
    assert row.before == pytest.approx(before.mean())
    assert row.difference == pytest.approx((before - after).mean())
    assert row.sd == pytest.approx(np.std((before - after).mean(1), ddof=1))
    assert row.better == pytest.approx(39 / 40)
    assert row.seeds == 2


def test_one_training_has_no_deviation(tmp_path):
    paths = [write_scores(tmp_path / f"{s}.zarr", np.ones((1, 60)), s) for s in ("before", "after")]
    assert np.isnan(pairing.compare(paths[:1], paths[1:]).sd[0])
    assert "±" not in rendering.markdown(pairing.table(pairing.compare(paths[:1], paths[1:])))


def test_what_is_no_pair_is_refused(pair, tmp_path):
    (before, after), *_ = pair
    with pytest.raises(ValueError, match="expected one cell before and after"):
        pairing.compare([after], [before])
    other = write_scores(tmp_path / "c.zarr", np.ones((2, 40)), "after", method="sisprnet")
    with pytest.raises(ValueError, match="expected one cell before and after"):
        pairing.compare([before], [other])
    broken = write_scores(tmp_path / "n.zarr", np.full((2, 40), np.nan), "after")
    with pytest.raises(ValueError, match="expected finite scores"):
        pairing.compare([before], [broken])


def test_the_table_is_written_in_every_form(pair, tmp_path):
    (before, after), *_ = pair
    paths = [tmp_path / f"paired.{suffix}" for suffix in ("csv", "md", "tex")]
    rendering.write(pairing.table(pairing.compare([before], [after])), paths)
    assert list(pd.read_csv(paths[0]).columns) == pairing.COLUMNS
    assert "| unet | 500 |" in paths[1].read_text()
    assert "98 %" in paths[1].read_text()
    assert r"\label{tab:paired}" in paths[2].read_text()
