import numpy as np
import pandas as pd
import pytest
import xarray as xr

from farfield.machine import store
from farfield.study import comparison, rendering


def write_scores(path, errors, seconds=0.002, **attributes):
    """A score store of one seed and checkpoint, energy 2 everywhere."""
    errors = np.asarray(errors, dtype=float)
    dataset = xr.Dataset(
        {
            "sa_mse": (("seed", "checkpoint", "sample"), errors[None, None]),
            "energy": (("sample",), np.full(len(errors), 2.0)),
            "seconds": (("seed", "checkpoint"), [[seconds]]),
        },
        coords={"seed": [0], "checkpoint": np.array(["final"], dtype=object)},
        attrs=attributes,
    )
    store.write_dataset(dataset, path)
    return path


@pytest.fixture
def stores(tmp_path):
    network = {"method": "unet", "kind": "network", "samples": 64, "symmetry": "after"}
    recipe = {"method": "hio", "kind": "iterative"}
    clean = [
        write_scores(tmp_path / "a.zarr", [0.2, 0.4, 9.0], **network),
        write_scores(tmp_path / "b.zarr", [1e-9, 0.2, 9.0], **recipe),
    ]
    noisy = [
        write_scores(tmp_path / "c.zarr", [0.4, 0.6], **network),
        write_scores(tmp_path / "d.zarr", [1e-4, 0.4], 0.004, **recipe),
    ]
    return clean, noisy


def test_noise_free_errors_are_those_of_the_same_patterns(stores):
    frame = comparison.compare(*stores, 1e6)
    assert list(frame.columns) == comparison.COLUMNS
    assert list(frame["method"]) == ["unet", "unet", "hio", "hio"]
    assert list(frame["photons"]) == [np.inf, 1e6] * 2
    assert np.allclose(frame["mean"], [0.15, 0.25, 0.05, 0.100025])
    assert list(frame["solved"]) == [0, 0, 0.5, 0.5]
    assert list(frame["patterns"]) == [2] * 4
    assert list(frame["seconds"]) == [0.002, 0.002, 0.002, 0.004]


def test_the_table_is_written_in_every_form(stores, tmp_path):
    frame = comparison.compare(*stores, 1e6)
    paths = [tmp_path / f"noise.{suffix}" for suffix in ("csv", "md", "tex")]
    rendering.write(comparison.table(frame), paths)
    assert len(pd.read_csv(paths[0])) == 4
    text = paths[1].read_text()
    assert "| unet, after, n = 64 | 0.150 | 0.150 | 0.00 | 2 | 0.250 | 0.250 | 0.00 | 2 |" in text
    assert "1e6 photons Solved" in text
    assert r"\multicolumn{4}{c}{1e6 photons}" in paths[2].read_text()


def test_scores_that_are_not_finite_are_refused(stores, tmp_path):
    broken = write_scores(tmp_path / "e.zarr", [np.nan, 1.0], method="hio", kind="iterative")
    with pytest.raises(ValueError, match=r"e.zarr: expected finite scores.*redo it"):
        comparison.compare([broken], [broken], 1e6)
