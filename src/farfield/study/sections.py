"""Sections of a config that name objects, objectives, methods and scans: what they mean, and mistakes in them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from farfield.iterative.recipe import RecipeError, length, parse
from farfield.learning.networks.making import inputs_of
from farfield.learning.networks.registry import NETWORKS
from farfield.learning.objectives.objective import Objective
from farfield.learning.settings import Settings
from farfield.physics import images
from farfield.study.errors import CONSTANTS, FLOORS, STARTS
from farfield.study.wording import suggest
from farfield.symmetry.actions import LEVELS


def source(config: Mapping[str, Any]) -> str:
    """Name the section that a study's objects come from: ``images`` where it is there, or ``crystals``.

    In the near field it is what that section names.
    """
    kind = config.get("near_field", {}).get("objects", "images")
    return kind if kind in config else "crystals"


def kinds(config: Mapping[str, Any]) -> list[str]:
    """Name the sections that any of a study's objects come from: its own, and those that no network has seen."""
    return [source(config), *config.get("near_field", {}).get("unseen", [])]


def objective(config: Mapping[str, Any], name: str) -> Objective:
    """Make an objective from its section; levels of symmetry breaking are objectives without one.

    Parameters
    ----------
    config : mapping
        Complete.
    name : str
        A key of ``objectives``, or one of `actions.LEVELS`.

    Returns
    -------
    Objective
    """
    keys = config["objectives"].get(name, {"labels": name})
    return Objective(**{key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()})


def scan(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Tell what `measured.reconstruct_file` is asked for by the section of a scan.

    Parameters
    ----------
    config : mapping
        Complete.
    name : str
        A key of ``measured``.

    Returns
    -------
    dict
        Its keywords, ``data`` among them.
    """
    settings = config["measured"][name]
    asked = {key: _tupled(value) for key, value in settings.items() if key != "positive"}
    return {**asked, "values": "positive" if settings["positive"] else "complex"}


def _tupled(value: Any) -> Any:
    """Take lists for tuples, as the command's words are."""
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


FILES = ("data", "mask", "flat", "dark", "support", "monitor", "spec")
"""Keys of a scan that name files, a monitor's unless it is a number."""


def _paths(settings: Mapping[str, Any]) -> dict[str, Path]:
    """Files and folders that a scan names, by its keys: without what inverts a mask, and what lies in a file."""
    named = {key: settings[key] for key in FILES if isinstance(settings.get(key), str)}
    return {
        key: Path(text.removeprefix("~" if key == "mask" else "").partition("::")[0]) for key, text in named.items()
    }


def files(config: Mapping[str, Any], name: str) -> list[str]:
    """List what a scan is read from; of a folder, every file.

    Parameters
    ----------
    config : mapping
        Complete.
    name : str
        A key of ``measured``.

    Returns
    -------
    list of str
    """
    found = []
    for path in _paths(config["measured"][name]).values():
        found += sorted(path.glob("[!.]*")) if path.is_dir() else [path]
    return list(map(str, found))


def _objective_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    for name in config["objectives"]:
        try:
            wanted = objective(config, name)
        except ValueError as error:
            yield f"objectives: {name}: {error}"
            continue
        if name in LEVELS and not (wanted.data and wanted.labels == name):
            yield f"objectives: {name}: expected its labels, which it is named after; rename it"
        if wanted.training_set == "natural" and source(config) != "images":
            yield f"objectives: {name}: labels: expected a study of images for natural, got crystals; use before"
        if name in (*config["baselines"], *config["refined"], *config["denoised"], *CONSTANTS, *FLOORS, "cold"):
            yield f"objectives: {name!r} is the name of another method; choose another"


def _chain(config: Mapping[str, Any], name: str) -> list[str]:
    """Follow a refined method to what it starts from; the end is another refined one if they come in a circle."""
    chain = [name]
    while chain[-1] in config["refined"] and len(chain) <= len(config["refined"]):
        chain.append(config["refined"][chain[-1]]["start"])
    return chain


def _refined_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    known = [*config["objectives"], *STARTS, *config["baselines"], *config["refined"]]
    for name, refined in config["refined"].items():
        chain = _chain(config, name)
        if refined["start"] not in known:
            yield f"refined: {name}: start: unknown method {refined['start']!r}; {suggest(refined['start'], known)}"
        elif chain[-1] in config["refined"]:
            yield f"refined: {name}: start: expected a start that ends, got the circle {' → '.join(chain)}; break it"
        if refined["network"] and refined["network"] not in config["networks"]:
            yield f"refined: {name}: network: expected one of networks, got {refined['network']!r}; change it"
        elif refined["network"] and refined["start"] not in config["objectives"]:
            yield f"refined: {name}: network: expected none, as the start is no network's, got one; leave it out"


def _denoised_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    known, most = (
        [*config["objectives"], *STARTS, *config["baselines"], *config["refined"]],
        config["denoiser"]["sigma"],
    )
    taken = [*NETWORKS, *CONSTANTS, *FLOORS, *config["baselines"], *config["refined"]]
    least = config["noise"]["patterns"]
    for name, settings in config["denoised"].items():
        where, start, network = f"denoised: {name}", settings["start"], settings["network"]
        if name in taken:
            yield f"denoised: {name!r} is the name of another method; choose another"
        if start not in known:
            yield f"{where}: start: unknown method {start!r}; {suggest(start, known)}"
        if network and not (network in config["networks"] and start in config["objectives"]):
            wanted = "one of networks, and a start that is an objective"
            yield f"{where}: network: expected {wanted}, got {network!r}; change it, or leave it out"
        if (level := max(settings["levels"])) > most:
            wanted = f"at most {most:g}, the denoiser's sigma"
            yield f"{where}: levels: expected {wanted}, got {level:g}; lower it, or raise denoiser: sigma"
        if (count := settings["patterns"]) < least:
            yield f"{where}: patterns: expected at least noise: patterns, {least}, got {count}; raise it"


def _recipe_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    taken = [*NETWORKS, *CONSTANTS, *FLOORS]
    for key, others in (("baselines", taken), ("refined", [*taken, *config["baselines"]])):
        for name, settings in config[key].items():
            if name in others:
                yield f"{key}: {name!r} is the name of another method; choose another"
            if "recipe" in settings:
                yield from (f"{key}: {name}: recipe: {mistake}" for mistake in _unreadable(settings["recipe"]))
    for name, settings in config["measured"].items():
        yield from (f"measured: {name}: recipe: {mistake}" for mistake in _unreadable(settings["recipe"]))
    for side in ("warm", "cold"):
        lengths: dict[int, int] = {}
        for number, run in enumerate(config.get("starts", {}).get(side, [])):
            wrong = [f"starts: {side}[{number}]: recipe: {mistake}" for mistake in _unreadable(run["recipe"])]
            yield from wrong
            iterations = 0 if wrong else length(run["recipe"])
            if iterations and lengths.setdefault(iterations, number) != number:
                yield (
                    f"starts: {side}[{number}]: recipe: expected another number of iterations than {side}"
                    f"[{lengths[iterations]}] has, got {iterations} again; the table tells recipes apart by it"
                )


def _unreadable(recipe: str) -> Iterator[str]:
    try:
        parse(recipe)
    except RecipeError as error:
        yield str(error)


def _image_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    settings, size = config["images"], config["image_size"]
    try:
        held = {name: images.check(name, settings["path"] or None) for name in ("train", "test")}
    except ValueError as error:
        yield f"images: {error}"
        return
    if settings["training"] + settings["validation"] > held["train"].count:
        yield f"images: training, validation: expected at most {held['train'].count} together; lower one"
    if settings["test"] > held["test"].count:
        yield f"images: test: expected at most {held['test'].count}; lower it"
    if size < max(held["train"].side, held["test"].side):
        yield f"image_size: expected at least the images' {held['train'].side} pixels, got {size}; raise it"


def _missing_files(config: Mapping[str, Any]) -> Iterator[str]:
    for name, settings in config["measured"].items():
        for key, path in _paths(settings).items():
            if not path.exists():
                yield (
                    f"measured: {name}: {key}: expected a file or a folder, got none at {path}; correct the path, "
                    "from where snakemake runs if it does not begin with /"
                )


def version_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    """Refuse turned samples where a network's inputs or an objective's labels do not allow for them."""
    if config["training"]["versions"] == 1:
        return
    try:
        settings = Settings(**config["training"])
    except ValueError:  # which the config's check tells by itself
        return
    for network in filter(NETWORKS.__contains__, config["networks"]):
        for name in config["objectives"]:
            try:
                settings.check_versions(inputs_of(network) or settings.inputs, objective(config, name).training_set)
            except ValueError as error:
                yield f"training: versions: {network}, {name}: {error}"


def mistakes(config: Mapping[str, Any], check_files: bool = True) -> Iterator[str]:
    """Tell what is wrong with objects, objectives, methods and scans, a line each.

    Parameters
    ----------
    config : mapping
        Complete.
    check_files : bool
        Whether to look for the files of measured scans, and into those of a study of images.

    Yields
    ------
    str
    """
    wrong = list(_objective_mistakes(config))
    yield from wrong or version_mistakes(config)
    yield from _recipe_mistakes(config)
    yield from _refined_mistakes(config)
    yield from _denoised_mistakes(config)
    if check_files:
        yield from _missing_files(config)
    if check_files and "images" in config and "images" in kinds(config):
        yield from _image_mistakes(config)
