"""What a result depends on is found from imports: nothing is missed, and nothing else counts."""

import ast
import shutil
import subprocess
import sys
import types
from functools import partial
from pathlib import Path

import pytest

from farfield.learning import networks
from farfield.machine import provenance
from farfield.machine.provenance import digest

ROOT = Path(__file__).parents[2]
AUTHOR = ["-c", "user.name=another", "-c", "user.email=another@example.org"]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


def forget():
    """Forget what was read of files."""
    provenance._imports.cache_clear()
    provenance._modules.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that digests may be tried on."""
    shutil.copytree(provenance.ROOT, tmp_path / "farfield", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "farfield")

    def edited(*names):
        """Change modules; what is parsed is not kept from before."""
        for name in names:
            with (tmp_path / "farfield" / f"{name}.py").open("a") as file:
                file.write("\n# edited\n")
        forget()

    yield edited
    forget()


def depends(package, *modules, scripts=SCRIPTS):
    """Scripts whose digest changes with modules; those of networks and problems with one each."""
    source = {"train": networks.NETWORKS["unet"], "evaluate_network": networks.NETWORKS["unet"]}

    def digests():
        classes = {path.stem: [source[path.stem]] if path.stem in source else [] for path in scripts}
        return {path.stem: digest(path, *classes[path.stem]) for path in scripts}

    before = digests()
    package(*modules)
    return {name for name, one in digests().items() if one != before[name]}


def test_a_metric_trains_nothing(package):
    changed = depends(package, "symmetry/metrics")
    assert {"evaluate_network", "score", "score_constants"} <= changed
    assert not {"train", "simulate", "break_symmetries", "reconstruct", "table", "release"} & changed


def test_a_networks_file_is_its_own(package):
    assert depends(package, "learning/networks/unet") == {"train", "evaluate_network"}
    assert depends(package, "learning/networks/sisprnet", "learning/networks/registry") == set()


def test_a_solver_trains_nothing_and_a_network_solves_nothing(package):
    for module in ("iterative/projections", "iterative/recipe", "iterative/lagrangian"):
        solvers = {"reconstruct", "follow_start", "reconstruct_measured", "reconstruct_denoised"}
        assert depends(package, module) == solvers, module
    assert depends(package, "study/starting") == {"reconstruct", "follow_start", "reconstruct_denoised"}
    assert "reconstruct" not in depends(package, "learning/networks/retriever")


def test_a_denoiser_is_trained_again_for_what_trains_it_alone(package):
    assert depends(package, "learning/denoising") == {"train_denoiser", "table_denoiser"}
    assert depends(package, "learning/denoiser") == {"train_denoiser", "table_denoiser", "reconstruct_denoised"}
    for module in ("iterative/prdeep", "iterative/fasta", "iterative/pnp_hio", "study/denoised"):
        assert depends(package, module) == {"reconstruct_denoised"}, module


def test_a_misfits_file_is_its_own(package):
    """As an objective that another names beside it changes none that is there."""
    assert depends(package, "learning/objectives/registry") == set()


def test_every_class_that_is_named_counts():
    """Not only the last one: two of one file are told apart by their names."""
    first, second, third = (type(name, (), {"__module__": __name__}) for name in ("First", "Second", "Third"))
    assert digest(first, third) != digest(second, third)


def test_what_decides_weights_trains_again(package):
    scripts = [path for path in SCRIPTS if path.stem in ("train", "simulate")]
    for module in (
        "learning/training",
        "learning/batches",
        "learning/networks/making",
        "learning/objectives/objective",
        "learning/objectives/jacobian",
        "learning/optimiser",
        "learning/settings",
        "machine/devices",
        "symmetry/matching",
        "symmetry/sa_mse",
    ):
        assert "train" in depends(package, module, scripts=scripts), module
    assert "simulate" in depends(package, "physics/crystals", scripts=scripts)
    assert "simulate" not in depends(package, "symmetry/actions", scripts=scripts)


def test_logs_and_tables_looks_train_nothing(package):
    assert depends(package, "machine/jobs") == set()
    assert depends(package, "study/rendering") == {path.stem for path in SCRIPTS if path.stem.startswith("table")}
    others = {name for name in depends(package, "study/figures") if not name.startswith("figure")}
    assert others == {"reconstruct_measured"}  # its figure is made where its object is
    assert depends(package, "__init__", "symmetry/__init__", "study/__init__", "learning/__init__") == set()


def test_a_digest_tells_what_python_imports(package):
    """Every module of the package that a script's imports bring in, but for doors, lists and what decides nothing."""
    path = ROOT / "workflow/scripts/table_noise.py"
    found = {}
    provenance._add(path.name, path, found)
    lines = [ast.unparse(node) for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
    told = f"import sys; {'; '.join(lines)}; print(*sorted(m for m in sys.modules if m.startswith('farfield.')))"
    loaded = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split()
    doors = {name for name in loaded if provenance._file(name).name == "__init__.py"}
    assert set(loaded) - doors - set(provenance.BESIDE) == set(found) - {path.name}


def test_names_are_followed_through_a_packages_door(package):
    assert provenance._module("farfield.iterative.parse") == "farfield.iterative.recipe"
    assert provenance._module("farfield.problems.SquareRoot") == "farfield.problems.square_root"
    assert provenance._module("farfield.symmetry.mse") == "farfield.symmetry.metrics"
    assert provenance._module("farfield.learning.create") == "farfield.learning.networks.making"
    assert provenance._module("farfield.reconstruct") == "farfield.iterative.reconstruction"
    assert provenance._module("farfield.physics.diffraction.measure") == "farfield.physics.diffraction"
    assert provenance._module("farfield") is None
    assert provenance._module("torch.nn") is None


def test_a_moved_package_has_the_same_digest(package, monkeypatch):
    here = digest("farfield.learning.training")
    monkeypatch.undo()
    forget()
    assert digest("farfield.learning.training") == here


def test_a_class_of_another_file_is_told_by_all_of_it(tmp_path, monkeypatch):
    """Helpers, attributes and decorators of a network decide as its methods do."""
    module = types.ModuleType("mine")
    module.__file__ = str(tmp_path / "mine.py")
    monkeypatch.setitem(sys.modules, "mine", module)
    text = "FACTOR = 2\n\n\nclass Net:\n    def forward(self, x):\n        return FACTOR * x\n"
    (tmp_path / "mine.py").write_text(text)
    exec(text, vars(module))
    before = digest(module.Net)
    assert digest(module.Net) == before
    assert digest(partial(module.Net, 3)) != before
    (tmp_path / "mine.py").write_text(text.replace("= 2", "= 3"))
    assert digest(module.Net) != before


def test_a_class_of_no_file_is_never_the_same():
    space = {"__name__": "a notebook"}
    exec("class Net: pass", space)
    assert digest(space["Net"]) != digest(space["Net"])


def test_outside_of_a_checkout_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    provenance.git_commit.cache_clear()
    assert provenance.git_commit() == "unknown"
    monkeypatch.setattr(provenance.subprocess, "run", _no_git)
    provenance.git_commit.cache_clear()
    assert provenance.git_commit() == "unknown"
    provenance.git_commit.cache_clear()


def test_a_checkout_that_git_distrusts_is_said_once(tmp_path, monkeypatch, caplog):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "farfield")
    answer = subprocess.CompletedProcess([], 128, "", "fatal: detected dubious ownership in repository\nmore")
    monkeypatch.setattr(provenance.subprocess, "run", lambda *arguments, **options: answer)
    provenance.git_commit.cache_clear()
    assert [provenance.git_commit() for _ in range(3)] == 3 * ["unknown"]
    assert caplog.messages == ["the commit is unknown: fatal: detected dubious ownership in repository"]
    provenance.git_commit.cache_clear()


def test_a_package_installed_in_anothers_repository_has_not_its_commit(tmp_path, monkeypatch, caplog):
    for words in (["init", "--quiet"], [*AUTHOR, "commit", "--quiet", "--allow-empty", "--message", "another's"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    package = tmp_path / ".venv/farfield"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setattr(provenance, "ROOT", package)
    provenance.git_commit.cache_clear()
    assert (provenance.git_commit(), caplog.messages) == ("unknown", [])
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    provenance.git_commit.cache_clear()
    assert provenance.git_commit().endswith("-dirty")
    provenance.git_commit.cache_clear()


def test_a_tagged_commit_is_told_by_its_number(tmp_path, monkeypatch):
    (tmp_path / "__init__.py").touch()
    said = ["--message", "one"]
    commit, tag = [*AUTHOR, "commit", "--quiet", *said], [*AUTHOR, "tag", "--annotate", "v1", *said]
    for words in (["init", "--quiet"], ["add", "."], commit, tag):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    provenance.git_commit.cache_clear()
    found = subprocess.run(["git", "-C", tmp_path, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert provenance.git_commit() == found.stdout[:12]
    provenance.git_commit.cache_clear()


def _no_git(*arguments, **options):
    raise FileNotFoundError("git")
