"""What a config says of the near field, and of networks fitted to one pattern in either: mistakes in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from farfield.learning.networks.making import encoder_of
from farfield.learning.networks.registry import NETWORKS
from farfield.learning.objectives.objective import check_near_physics
from farfield.learning.untrained import Fitting
from farfield.physics.near_field import NearField
from farfield.study.errors import CONSTANTS, FLOORS
from farfield.study.sections import kinds, objective, source
from farfield.study.wording import suggest

LENGTHS = ("wavelength", "pixel", "distance")
"""Keys of the section ``near_field`` that are a `NearField`'s."""

FITTING = ("cycles", "learning_rate", "weight_decay", "noise", "frozen", "physics")
"""Keys of a fitted method's section that are a `Fitting`'s."""

NEAR = {"tables": ("co-driven",), "figures": ("co-driven", "phases", "learning-curves")}
"""What can be made of a study of the near field: all else is of the far field's symmetries."""

FAR = {"tables": (), "figures": ("learning-curves",)}
"""What of it can be made of a study of the far field too."""


def unseen(config: Mapping[str, Any]) -> list[str]:
    """Name the sets of other objects than a study's own, on which its methods are tried."""
    return [f"unseen-{kind}" for kind in kinds(config)[1:]]


def _far_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    if config["oversampling"] < 2:
        yield (
            f"oversampling: expected an integer at least 2, got {config['oversampling']}: the far field does not "
            "determine an object below; change it, or leave it out for the default"
        )
    for key, names in NEAR.items():
        for name in sorted({*names} - {*FAR[key]} & {*config[key]}):
            yield f"{key}: {name} is of the near field; take it out, or add the section near_field"


def _hologram_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    """What no hologram can be taken of."""
    section = config["near_field"]
    try:
        NearField(**{name: section[name] for name in LENGTHS}).check(config["image_size"])
    except ValueError as error:
        yield f"near_field: {error}"
    if section["height"] <= 0:
        yield f"near_field: height: expected radians above 0, got {section['height']:g}; 1 is usual"
    if config["oversampling"] != 1:
        yield (
            f"oversampling: expected 1 in the near field, where holograms have the objects' frame, got "
            f"{config['oversampling']}; set it to 1"
        )
    for kind in {section["objects"], *section["unseen"]}:
        if kind not in config:
            yield f"near_field: expected the section {kind}, as objects are of it, got none; add it"
    if section["objects"] in section["unseen"]:
        yield f"near_field: unseen: expected other objects than {section['objects']}, got them; take them out"


def _near_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    for name in config["objectives"]:
        try:
            objective(config, name).check_near()
        except ValueError as error:
            yield f"objectives: {name}: {error}"
    if len(config["networks"]) > 1:
        got = ", ".join(config["networks"])
        yield f"networks: expected one in the near field, as objectives tell methods apart, got {got}; name one"
    if config["training"]["versions"] > 1:
        yield f"training: versions: expected 1 in the near field, got {config['training']['versions']}; change it"
    for key in ("baselines", "refined", "denoised"):
        if config[key]:
            yield f"{key}: expected none in the near field, as they are of the far field, got some; set it to {{}}"
    for key, names in NEAR.items():
        for name in config[key]:
            if name not in names:
                yield f"{key}: {name} is of the far field; take it out (known of the near one: {', '.join(names)})"


def _fitted_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    others = [name for key in ("objectives", "baselines", "refined", "denoised") for name in config[key]]
    taken = [*NETWORKS, *CONSTANTS, *FLOORS, *others, "cold"]
    for name, settings in config["fitted"].items():
        at = f"fitted: {name}"
        if name in taken:
            yield f"fitted: {name!r} is the name of another method; choose another"
        try:
            Fitting(**{key: settings[key] for key in FITTING})
            if "near_field" in config:
                check_near_physics(settings["physics"])
        except ValueError as error:
            yield f"{at}: {error}"
        if settings["start"] and settings["start"] not in config["objectives"]:
            known = suggest(settings["start"], config["objectives"])
            yield f"{at}: start: expected an objective, or '' for a fresh network, got {settings['start']!r}; {known}"
        network = settings["network"] or config["networks"][0]
        if network not in config["networks"]:
            yield f"{at}: network: expected one of networks, got {network!r}; change it"
        if settings["frozen"] and not settings["start"]:
            yield f"{at}: frozen: expected a start, whose encoder was trained, got none; name one, or set it to false"
        elif settings["frozen"] and network in NETWORKS and not encoder_of(network):
            yield f"{at}: frozen: expected a network that names its encoder, got {network}; set it to false"
        if settings["patterns"] > config[source(config)]["test"]:
            yield f"{at}: patterns: expected no more than {source(config)}: test; lower it"


def mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    """Tell what is wrong with a study's field, near or far, and with what is fitted to one pattern, a line each.

    Parameters
    ----------
    config : mapping
        Complete, and of the schema's types.

    Yields
    ------
    str
    """
    if "near_field" not in config:
        yield from _far_mistakes(config)
    else:
        yield from _hologram_mistakes(config)
        yield from _near_mistakes(config)
    yield from _fitted_mistakes(config)
