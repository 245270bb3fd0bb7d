import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree

import yaml
from snakemake.exceptions import WorkflowError

if not find_spec("farfield"):  # not installed: this checkout's
    sys.path.append(workflow.current_basedir.join("../../src").get_path_or_uri(secret_free=True))

from farfield.learning.networks import NETWORKS
from farfield.learning.objectives import OBJECTIVES
from farfield.machine.attempts import KEPT
from farfield.machine.devices import choose_device
from farfield.machine.provenance import digest
from farfield.problems import PROBLEMS, ComplexGaussian
from farfield.study import denoised
from farfield.study.config import ConfigError, check, varied
from farfield.study.errors import FLOORS, STARTS
from farfield.study.fields import FITTING, LENGTHS, unseen
from farfield.study.sections import files, objective, scan, source
from farfield.study.tables import TABLES
from farfield.symmetry.actions import LEVELS

RUNS = ["recipe", "starts", "beta", "support", "shrinkwrap", "budget"]  # what a recipe's settings are


def checked(config):
    """The whole config, or an end in a few lines that name what to change."""
    schema = yaml.safe_load(Path(workflow.source_path("../schemas/config.schema.yaml")).read_text())
    try:
        # `--jobs` is of machines elsewhere, which may have the GPU that this one lacks.
        here = workflow.resource_settings.nodes is None
        return check(config, schema, check_device=here, check_files=workflow.is_main_process)
    except ConfigError as error:
        files = ", ".join(str(file) for file in workflow.configfiles)
        raise WorkflowError(f"{files or 'the config'} cannot be used:\n{error}") from None


config = checked(config)

# Holograms of phase objects, or far-field patterns.
NEAR = "near_field" in config

# For `--sdm conda`. The package is that of this process: Snakemake hands its search path on to scripts.
ENVIRONMENT = f"../../envs/{'cpu' if config['device'] == 'cpu' else 'gpu'}.yaml"


def iterative_methods():
    """Every iterative method by its name, in the order of the tables' lines."""
    return [*config["baselines"], *config["refined"], *config["denoised"]]


wildcard_constraints:
    network="|".join(config["networks"]),
    symmetry="|".join({*config["objectives"], *LEVELS, "half-space"}),
    level="centred|phase",
    kind="real-gaussian|complex-gaussian",
    dimension=r"\d+",
    samples=r"\d+",
    seed=r"\d+",
    split="train|test|noisy",
    recipe="|".join(iterative_methods()) or "none",
    fitted="|".join(config["fitted"]) or "none",
    start="|".join([*config["objectives"], *STARTS, "cold"]),
    scan="|".join(config["measured"]) or "none",
    variant="|".join(config["sweep"]["variants"]),
    number=r"\d",


def study_path(path):
    """A path below this study's results."""
    return f"results/{config['study']}/{path}"


@cache
def code(script, *classes):
    """A digest of a script and of all that it imports: a rule's param, so that a change reruns it."""
    return digest(Path(workflow.source_path(f"../scripts/{script}.py")), *classes)


def code_with_network(script):
    """The same, and of the one network that a job is about."""
    return lambda wildcards: code(script, NETWORKS[wildcards.network])


def code_with_objective(script):
    """The same, of the one network and of the one objective that a training is about."""

    def of(wildcards):
        physics = OBJECTIVES[objective(config, wildcards.symmetry).physics]
        return code(script, NETWORKS[wildcards.network], physics)

    return of


def code_with_problem(script):
    """The same, and of the one problem that a job is about."""
    return lambda wildcards: code(script, PROBLEMS[wildcards.kind])


def published(name):
    """The text of a table of published numbers: a param, as a path would tie a study to its folder."""
    return Path(workflow.source_path(f"../resources/{name}.csv")).read_text()


def elsewhere():
    """Whether jobs run on other machines; not known before the workflow is planned."""
    return not workflow.local_exec or (workflow.dryrun and workflow.resource_settings.nodes is not None)


def gpus(wildcards=None):
    """GPUs that a job asks for: none on a machine without one, where jobs run side by side instead."""
    wished = config["device"] != "cpu"
    return int(wished and (elsewhere() or choose_device(config["device"]).type == "cuda"))


def section(name):
    """What a set depends on: of the sets' sizes, its own alone. The noisy one is made of the test set."""
    if name == "noisy":
        return section("test") | {"noise": config["noise"]}
    size = {"train": "training", "train-natural": "training"}.get(name, name)
    of = source(config)
    if name in unseen(config):
        size, of = "test", name.removeprefix("unseen-")
    others = {"training", "validation", "test"} - {size}
    objects = {key: value for key, value in config[of].items() if key not in others}
    return {key: config[key] for key in ("image_size", "oversampling")} | {of: objects} | taken()


def taken():
    """How holograms are taken, where they are."""
    if not NEAR:
        return {}
    return {
        "near_field": {key: config["near_field"][key] for key in LENGTHS},
        "height": config["near_field"]["height"],
    }


def section_of_wildcard(wildcards):
    """The section of the set that a job is about."""
    return section(wildcards.set)


def sections(*names):
    """Sections by set."""
    return {name: section(name) for name in names}


def splits(*names):
    """Sets that methods are tried on: those of the name, and in the near field other kinds of objects."""
    return [*names, *unseen(config)]


def training_set(wildcards):
    """The store that a cell of the grid trains on."""
    labels = objective(config, wildcards.symmetry).training_set
    name = {"before": "train", "after": "train-broken"}.get(labels, f"train-{labels}")
    return study_path(f"data/{name}.zarr")


def training_set_to_break(wildcards):
    """The training set as it is simulated, if there are symmetries to break in it: all that is of these needs it."""
    if NEAR:
        raise WorkflowError(
            "expected a target of the near field, got one that breaks the far field's symmetries, which holograms do not "
            f"have; make {study_path('tables/co-driven.csv')} instead, or take the section near_field out of the config"
        )
    return study_path("data/train.zarr")


def objective_of_wildcard(wildcards):
    """What a network is trained for; a level of symmetry breaking is named after its labels."""
    return config["objectives"].get(wildcards.symmetry, {"labels": wildcards.symmetry})


def level_of_wildcard(wildcards):
    """How much of a training set's symmetries to break."""
    return wildcards.level


def models_of_cell(wildcards):
    """Final and best weights of every seed of a cell."""
    return expand(
        study_path("models/{{network}}/{{symmetry}}/n{{samples}}/seed{seed}/{weights}.safetensors"),
        seed=config["seeds"],
        weights=["final", "best"],
    )


def shown():
    """Objectives of the grid over all training sizes: the study's two where it has them, else all."""
    both = [name for name in ("before", "after") if name in config["objectives"]]
    return both if len(both) == 2 else list(config["objectives"])


def cells(pattern, **others):
    """A path for every cell of the grid: network, symmetry and training size."""
    return expand(
        study_path(pattern),
        network=config["networks"],
        symmetry=shown(),
        samples=sorted(config["samples"]),
        **others,
    )


def constants(split):
    """Scores of the methods that predict one object: zero, and the mean of each training set."""
    sizes = sorted(config["samples"])
    zero = expand(study_path("scores/zero/n{samples}/train.zarr"), samples=sizes)
    if split == "test":
        zero = [study_path("scores/zero/test.zarr")]
    mean = expand(
        study_path("scores/mean-object/{symmetry}/n{samples}/{split}.zarr"),
        symmetry=["before", "after"],
        samples=sizes,
        split=split,
    )
    return zero + mean


def floors():
    """Scores on the test set of what knows nothing of a pattern and stands in tables of starts alone."""
    return expand(study_path("scores/{floor}/test.zarr"), floor=FLOORS)


def scores(split):
    """Every score store of a split, in the order of the tables' lines."""
    return scores_of_methods(split) + constants(split)


def order_of_methods():
    """The order of lines and colours: a param, as Snakemake compares inputs as a set."""
    return [*config["networks"], *iterative_methods(), *shown()]


def scores_of_methods(split):
    """Score stores of what reconstructs: networks and baselines."""
    return cells("scores/{network}/{symmetry}/n{samples}/{split}.zarr", split=split) + expand(
        study_path("scores/{recipe}/{split}.zarr"), recipe=iterative_methods(), split=split
    )


def scores_of_table(wildcards):
    """The score stores that a table summarises."""
    return scores(TABLES[int(wildcards.number)].split)


def histories():
    """Every training's history."""
    return cells("models/{network}/{symmetry}/n{samples}/seed{seed}/history.csv", seed=config["seeds"])


def reconstructions_of_test():
    """What figure 3 shows: the networks at the largest size, and what is iterative."""
    return expand(
        study_path("reconstructions/{network}/{symmetry}/n{samples}/test.zarr"),
        network=config["networks"],
        symmetry=shown(),
        samples=max(config["samples"]),
    ) + expand(study_path("reconstructions/{recipe}/test.zarr"), recipe=iterative_methods())


def tables(*suffixes):
    """Every table that the config asks for."""
    return expand(study_path("tables/{name}.{suffix}"), name=config["tables"], suffix=suffixes)


def figures(*suffixes):
    """Every figure that the config asks for."""
    return expand(study_path("figures/{name}.{suffix}"), name=config["figures"], suffix=suffixes)


def gaussian_cells():
    """Every cell of the Gaussian grid: dimension, training size and symmetry."""
    return expand(
        study_path("principle/real-gaussian/d{dimension}/{symmetry}/n{samples}.csv"),
        dimension=sorted(config["gaussian"]["dimensions"]),
        symmetry=["before", "after"],
        samples=sorted(config["gaussian"]["samples"]),
    )


def partly_broken_scores():
    """Scores of every network on training sets with more and more of the symmetries broken."""
    return expand(
        study_path("scores/{network}/{symmetry}/n{samples}/test.zarr"),
        network=config["networks"],
        symmetry=LEVELS,
        samples=config["partial_breaking"]["samples"],
    )


def partly_broken_cells():
    """The same for complex Gaussian phase retrieval."""
    return expand(
        study_path("principle/complex-gaussian/d{dimension}/{symmetry}/n{samples}.csv"),
        dimension=config["partial_breaking"]["dimension"],
        symmetry=ComplexGaussian.levels,
        samples=config["partial_breaking"]["gaussian_samples"],
    )


def network_options(wildcards):
    """Options of a network, from the config."""
    return config["network_options"].get(wildcards.network, {})


def variant_settings(wildcards):
    """Training settings of a variant of the sweep."""
    return varied(config, wildcards.variant)["training"]


def variant_options(wildcards):
    """Options of a network in a variant of the sweep."""
    return varied(config, wildcards.variant)["network_options"].get(wildcards.network, {})


def histories_of_sweep():
    """Histories of every variant of the sweep, trained before and after breaking."""
    return expand(
        study_path("sweep/{variant}/{network}/{symmetry}/n{samples}/seed{seed}/history.csv"),
        variant=config["sweep"]["variants"],
        network=config["networks"],
        symmetry=["before", "after"],
        samples=config["sweep"]["samples"],
        seed=config["sweep"]["seeds"],
    )


def scores_of_symmetry(symmetry):
    """Score stores on the test set of every network and size, trained before or after breaking."""
    return expand(
        study_path("scores/{network}/{symmetry}/n{samples}/test.zarr"),
        network=config["networks"],
        symmetry=symmetry,
        samples=sorted(config["samples"]),
    )


def largest_cells(pattern, **others):
    """A path for every objective, at the largest training size."""
    return expand(study_path(pattern), **others, symmetry=config["objectives"], samples=max(config["samples"]))


def largest_models(wildcards):
    """Weights of every seed and objective of a network, trained on the largest set."""
    weights = {"seed": config["seeds"], "weights": ["final", "best"]}
    cell = "models/{network}/{symmetry}/n{samples}/seed{seed}/{weights}.safetensors"
    return largest_cells(cell, network=wildcards.network, **weights)


def largest_scores(wildcards):
    """Their scores on the test set."""
    return largest_cells("scores/{network}/{symmetry}/n{samples}/test.zarr", network=wildcards.network)


def released():
    """The best model of each network, with its card."""
    networks = [] if NEAR else config["networks"]  # models of holograms stay in their study
    return expand(study_path("released/{network}.{suffix}"), network=networks, suffix=["safetensors", "md"])


def conditioning():
    """The report on the far field's symmetries."""
    return [] if NEAR else [study_path("data/conditioning.csv")]


def iterative(wildcards):
    """The section of an iterative method: a baseline, or one that goes on from what another made."""
    return (config["baselines"] | config["refined"] | config["denoised"])[wildcards.recipe]


def scores_of_strategies(wildcards):
    """Scores on the test set of all that a table of strategies compares, in the order of its lines."""
    plain = ["zero", "box", "blob", f"mean-object/before/n{max(config['samples'])}"]
    names = [*plain, *iterative_methods(), *config["fitted"]]
    return expand(study_path("scores/{name}/test.zarr"), name=names) + largest_cells(
        "scores/{network}/{symmetry}/n{samples}/test.zarr", network=config["networks"]
    )


def order_of_strategies():
    """The order of a table of strategies: a param, as Snakemake compares inputs as a set."""
    return [*order_of_methods(), *config["objectives"], *config["fitted"]]


def published_of_strategies(wildcards):
    """What the paper states, for the table that stands beside it."""
    return published("passive") if wildcards.name == "passive" else ""


def starts_compared():
    """Every start that a table of starts compares."""
    return ["cold", *reversed(STARTS), *config["objectives"]]


def models_of_start(wildcards):
    """Best validated weights of every seed of the network that makes a start; none for what is not learned."""
    if wildcards.start not in config["objectives"]:
        return []
    return expand(
        study_path("models/{network}/{start}/n{samples}/seed{seed}/best.safetensors"),
        network=config["networks"][0],
        start=wildcards.start,
        samples=max(config["samples"]),
        seed=config["seeds"],
    )


def code_with_start(script):
    """The code of a script, and of the network that makes the start, if any."""
    return lambda wildcards: code(
        script, *[NETWORKS[config["networks"][0]]] * (wildcards.start in config["objectives"])
    )


def recipe_settings(wildcards):
    """Settings of its recipe."""
    return {key: value for key, value in iterative(wildcards).items() if key in RUNS}


def start_of_recipe(wildcards):
    """The method that it starts from, if any, and how much of the training set that needs."""
    return training_of_start(iterative(wildcards).get("start", ""))


def name_of_start(wildcards):
    """The method that it starts from."""
    return iterative(wildcards)["start"]


def denoised_settings(wildcards):
    """Settings of a method with a denoiser in the loop."""
    return denoised.options(iterative(wildcards))


def counts_of_denoised(wildcards):
    """How many patterns of each set it reconstructs, at most."""
    patterns = iterative(wildcards)["patterns"]
    return counts_of_recipe(wildcards) | {"test": patterns, "noisy": patterns}


def training_of_start(name):
    """A start and the training samples that decide it; a dict, as Snakemake compares params' values as a set."""
    return {"method": name, "samples": max(config["samples"]) if name == "mean-object" else 1}


def counts_of_recipe(wildcards):
    """How many patterns of a set it reconstructs, where not all: no more than what it starts from has."""
    count = config["baseline_training_patterns"]
    return {"train": min(count, max(config["samples"])) if starts_of_recipe(wildcards) else count}


def runs_of_start(wildcards):
    """The recipes that go on from a start, and on how many patterns."""
    settings = config["starts"]
    return {"patterns": settings["patterns"], "runs": settings["cold" if wildcards.start == "cold" else "warm"]}


def training_of_curve(wildcards):
    """A start of the table of starts, and the training samples that decide it."""
    return training_of_start("" if wildcards.start == "cold" else wildcards.start)


def starts_of_recipe(wildcards):
    """Reconstructions that it starts from, of each set; none for random phases, the mean object and the blob."""
    settings = iterative(wildcards)
    name = settings.get("start", "")
    if name in config["objectives"]:
        network = settings["network"] or config["networks"][0]
        name = f"{network}/{name}/n{max(config['samples'])}"
    elif name in ("", *STARTS):
        return []
    return expand(study_path("reconstructions/{name}/{split}.zarr"), name=name, split=["train", "test", "noisy"])


def counts_of_evaluation():
    """How many patterns of a set networks reconstruct, where not all: tables 1 to 4 alone are of training sets."""
    whole = {f"table{number}" for number, shown in TABLES.items() if shown.split == "train"} & {*config["tables"]}
    return {} if whole else {"train": config["baseline_training_patterns"]}


def truths_of_network(wildcards):
    """What a network's reconstructions are held against: its own training set, and the unbroken test sets."""
    return [training_set(wildcards), *(study_path(f"data/{split}.zarr") for split in splits("test", "noisy"))]


def measured():
    """Every measured scan, its figure and the table of them, where the config has any."""
    made = expand(study_path("measured/{scan}.{suffix}"), scan=config["measured"], suffix=["cxi", "png"])
    return made and made + expand(study_path("tables/measured.{suffix}"), suffix=["csv", "md", "tex"])


def files_of_scan(wildcards):
    """What a scan is read from."""
    return files(config, wildcards.scan)


def scan_of_wildcard(wildcards):
    """What a scan's reconstruction is asked for."""
    return scan(config, wildcards.scan)


def fitted_of_wildcard(wildcards):
    """The section of a method that is fitted to one pattern."""
    return config["fitted"][wildcards.fitted]


def fitting_of_wildcard(wildcards):
    """How it is fitted."""
    return {key: fitted_of_wildcard(wildcards)[key] for key in FITTING}


def patterns_of_fitted(wildcards):
    """How many patterns of each set it is fitted to."""
    return fitted_of_wildcard(wildcards)["patterns"]


def network_of_fitted(wildcards):
    """Its network."""
    return fitted_of_wildcard(wildcards)["network"] or config["networks"][0]


def options_of_fitted(wildcards):
    """Options of its network, from the config."""
    return config["network_options"].get(network_of_fitted(wildcards), {})


def code_with_fitted(script):
    """The code of a script, of its network and of its misfit."""

    def of(wildcards):
        physics = OBJECTIVES[fitted_of_wildcard(wildcards)["physics"]]
        return code(script, NETWORKS[network_of_fitted(wildcards)], physics)

    return of


def model_of_fitted(wildcards):
    """Best validated weights of the first seed of what it starts from; none for a fresh network."""
    start = fitted_of_wildcard(wildcards)["start"]
    cell = f"models/{network_of_fitted(wildcards)}/{start}/n{max(config['samples'])}/seed{config['seeds'][0]}"
    return [study_path(f"{cell}/best.safetensors")] if start else []


def of_driven(kind, split):
    """Stores of a set of every objective at the largest size, and of what is fitted to one pattern."""
    of_networks = "{kind}/{network}/{symmetry}/n{samples}/{split}.zarr"
    fitted = expand(study_path("{kind}/{fitted}/{split}.zarr"), kind=kind, fitted=config["fitted"], split=split)
    return largest_cells(of_networks, kind=kind, network=config["networks"], split=split) + fitted


def scores_of_driven():
    """Scores of every method on every set, set by set."""
    return [path for split in splits("test", "noisy") for path in of_driven("scores", split)]


def on_test(kind):
    """Stores of every method, on the test set."""
    return of_driven(kind, "test")


def order_of_driven():
    """The order of its lines: a param, as Snakemake compares inputs as a set."""
    return [*config["networks"], *config["objectives"], *config["fitted"], *splits("test", "noisy")]


def fewest_fitted():
    """Samples in the figure of phases: as many as every method has, up to what a figure shows."""
    counts = [settings["patterns"] for settings in config["fitted"].values()]
    return min([config["figure_samples"]["count"], *counts])
