import numpy as np
import pandas as pd
import pytest
import xarray as xr

from farfield.study import rendering, sweep

VARIANTS = {
    "plain": {},
    "fast": {"training": {"learning_rate": 0.01}},
    "wide": {"network_options": {"unet": {"width": 8}}},
}


def write_history(folder, scores, speed):
    folder.mkdir(parents=True)
    frame = pd.DataFrame(
        {"epoch": range(1, len(scores) + 1), "validation_sa_mse": scores, "samples_per_second": speed}
    )
    frame.to_csv(folder / "history.csv", index=False)
    return folder / "history.csv"


@pytest.fixture
def frame(tmp_path):
    scores = {"plain": [[2.0, 1.0], [2.0, 1.4]], "fast": [[0.5, 3.0], [0.7, 3.0]], "wide": [[1.9, 1.8], [1.9, 1.8]]}
    histories = [
        write_history(tmp_path / f"{variant}/{network}/{side}/n64/seed{seed}", [k * x for x in runs[seed]], 100.0)
        for network in ("unet", "sisprnet")
        for side, k in (("before", 2), ("after", 1))
        for variant, runs in scores.items()
        for seed in (0, 1)
    ]
    validation = xr.Dataset({"object": (("sample", "y", "x"), np.full((3, 4, 4), 1 + 1j))})  # energy 2
    return sweep.summarise(histories, validation)


def test_variants_are_ranked_by_their_best_validation_error(frame):
    assert frame.method.tolist() == ["unet"] * 6 + ["sisprnet"] * 6
    assert frame.symmetry.tolist() == (["before"] * 3 + ["after"] * 3) * 2
    assert frame.variant.tolist() == ["fast", "plain", "wide"] * 4
    first = frame[frame.symmetry == "after"].iloc[0]
    assert (first.best, first.final, first.seeds) == (pytest.approx(0.3), pytest.approx(1.5), 2)
    assert first.best_sd == pytest.approx(np.std([0.25, 0.35], ddof=1))


def test_the_table_says_what_each_variant_changes(frame, tmp_path):
    paths = [tmp_path / f"sweep.{suffix}" for suffix in ("csv", "md", "tex")]
    rendering.write(sweep.table(frame, VARIANTS), paths)
    text = paths[1].read_text()
    assert "| fast | learning_rate 0.01 | 0.300 ± 0.071 | 1.500 | 2 | 100 |" in text
    assert "| wide | unet {width: 8} |" in text
    assert "| plain | – |" in text
    assert "Best against best, after / before: unet 0.50, sisprnet 0.50." in text
    assert len(pd.read_csv(paths[0])) == 12
    assert r"\begin{tabular}" in paths[2].read_text()
