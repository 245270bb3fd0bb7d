"""What README, docs/package.md and the how-tos show is run as it stands there."""

import re
from pathlib import Path

import torch
import yaml

from farfield.__main__ import main
from farfield.iterative import ALGORITHMS, Shrinkwrap, parse, reconstruct
from farfield.learning import networks, training
from farfield.learning.objectives import OBJECTIVES
from farfield.physics import crystals
from farfield.physics.diffraction import measure
from farfield.study.config import check
from farfield.study.sections import objective

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """Code blocks of a page, as they stand there."""
    text = (ROOT / page).read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.S | re.M)
    return [re.sub(rf"^{indent}", "", code, flags=re.M) for indent, code in found]


def test_the_packages_example_runs_and_readmes_is_its_beginning(capsys):
    (begins,), (example,) = (blocks(page, "python") for page in ("README.md", "docs/package.md"))
    assert [line for line in begins.splitlines() if line not in example.splitlines()] == []
    space = {}
    exec(example, space)
    assert float(capsys.readouterr().out.splitlines()[0].split("(")[1].split(",")[0].rstrip(")")) < 1e-3
    assert space["canonical"].shape == (16, 32, 32)


def test_the_network_of_the_page_trains(monkeypatch, tmp_path):
    space = {}
    exec(blocks("docs/extend.md", "python")[0], space)
    monkeypatch.setitem(networks.NETWORKS, "linear", space["Linear"])
    items = crystals.simulate(24, 16, 3)
    settings = training.Settings(epochs=1, updates=0, batch_size=8)
    model = training.fit("linear", items[:16], items[16:], settings, folder=tmp_path, options={"dropout": 0.1})
    assert model.description["options"] == {"dropout": 0.1}


def sections(page: str, key: str) -> list[dict]:
    """Sections of that name in a page's pieces of configs."""
    return [config[key] for config in map(yaml.safe_load, blocks(page, "yaml")) if key in config]


def test_the_objective_of_the_page_trains(monkeypatch, tmp_path):
    space = {}
    exec(blocks("docs/extend.md", "python")[1], space)
    monkeypatch.setitem(OBJECTIVES, "correlation", space["correlation"])
    named, refined = (sections("docs/extend.md", key)[0] for key in ("objectives", "refined"))
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    study = check({"study": "mine", "objectives": named, "refined": refined}, schema)
    wanted = objective(study, "scale-free")
    assert (wanted.data, wanted.physics) == (0, "correlation")
    items, rows = crystals.simulate(48, 16, 3), []
    how = {"folder": tmp_path, "options": {"width": 8}, "on_epoch": rows.append}
    settings = training.Settings(epochs=4, updates=0, batch_size=8, precision="float32")
    training.fit("unet", items[:32], items[32:], settings, wanted, **how)
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_the_solver_of_the_page_is_a_recipe(monkeypatch):
    space = {}
    exec(blocks("docs/extend.md", "python")[2], space)
    monkeypatch.setitem(ALGORITHMS, "MINE", space["heavy_ball"])
    (settings,) = (section["my-solver"] for section in sections("docs/extend.md", "baselines"))
    assert [step.algorithm for step in parse(settings["recipe"])] == ["MINE", "ER"]
    assert Shrinkwrap(**settings.get("shrinkwrap", {})) == Shrinkwrap()
    pattern = measure(crystals.simulate(4, 16, 3))
    plain, mine = (reconstruct(pattern, f"20*{name}+ER", beta=0.5).residual for name in ("ER", "MINE"))
    assert mine.mean() < plain.mean()


def test_the_problem_of_the_page_is_one():
    space = {}
    exec(blocks("docs/extend.md", "python")[3], space)
    problem = space["Unordered"]()
    objects = problem.draw(40, 1)
    copies = problem.act(objects, 2)
    assert not torch.equal(copies, objects)
    assert torch.allclose(problem.forward(copies), problem.forward(objects))
    assert torch.equal(problem.canonical(copies), problem.canonical(objects))
    assert float(problem.error(objects, copies).max()) < 1e-6


def test_the_frame_of_the_page_is_believed(monkeypatch, tmp_path, capsys):
    page = (ROOT / "docs/measured.md").read_text()
    beginning = page[page.index("## A frame to begin with") : page.index("## Look first")]
    monkeypatch.chdir(tmp_path)
    exec(blocks("docs/measured.md", "python")[0], {})
    for command in re.findall(r"^    farfield (.*)", beginning, re.M):
        main(command.split())
    assert [path.suffix for path in sorted(tmp_path.glob("frame*"))] == [".png", ".cxi", ".png", ".tif"]
    assert capsys.readouterr().out.splitlines()[-1].startswith("believed: ")
