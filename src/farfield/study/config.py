"""A study's config: defaults filled in, and every mistake found before the first job, in a line each."""

import ast
import copy
import math
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import jsonschema
import torch

from farfield.learning import networks
from farfield.learning.networks.making import inputs_of
from farfield.learning.networks.retriever import Retriever
from farfield.machine import devices
from farfield.physics.crystals import DEFECTS, PARTIALS
from farfield.study import fields, sections
from farfield.study.wording import suggest

_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    # JSON takes 32.0 for an integer; a size that Python would not count with is a mistake here.
    # Nor is YAML's .nan or .inf a number to compute with.
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            ),
        }
    ),
)


SIDES = {*(f"table{number}" for number in range(1, 6)), "paired", "error-against-size"}
"""Tables and figures that hold one side of symmetry breaking against the other."""


class ConfigError(ValueError):
    """A config that no job must start from; one line for each mistake."""


def _number(value: Any, kind: Any) -> Any:
    """Read a number that arrives as a text, as from Snakemake's ``--config 'seeds=[0]'``, where one is wanted."""
    if kind not in ("integer", "number", int, float) or not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return value


def complete(config: Mapping[Any, Any], schema: Mapping[str, Any]) -> dict[Any, Any]:
    """Fill in the schema's defaults, at every level, and read texts as numbers where it wants these.

    Parameters
    ----------
    config, schema : mapping
        As read from their files.

    Returns
    -------
    dict
        A new config; keys that the schema does not know are kept.
    """
    # In the schema's order: Snakemake takes the same keys in another order for changed params.
    rules = schema.get("properties", {})
    known = {key: config.get(key, copy.deepcopy(rule.get("default"))) for key, rule in rules.items()}
    filled = {key: value for key, value in known.items() if key in config or "default" in rules[key]}
    filled |= {key: value for key, value in config.items() if key not in rules}
    for key, value in filled.items():
        rule = rules.get(key, schema.get("additionalProperties"))
        if isinstance(rule, dict):
            filled[key] = _filled(value, rule)
    return filled


def _filled(value: Any, rule: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if "if" in rule:
            rule = rule["then" if set(rule["if"]["required"]) <= set(value) else "else"]
        return complete(value, rule)
    if isinstance(value, list):
        return [_filled(x, rule.get("items", {})) for x in value]
    first, *_ = rule.get("anyOf", [rule])
    return _number(value, first.get("type"))


def _expected(rule: Mapping[str, Any]) -> str:
    """Say in words what a schema rule asks for."""
    if "anyOf" in rule:
        return " or ".join(map(_expected, rule["anyOf"]))
    if "const" in rule:
        return repr(rule["const"])
    if "enum" in rule:
        return f"one of {', '.join(map(str, rule['enum']))}"
    if "pattern" in rule:
        return "a text of letters, digits, '.', '_' and '-' (it names a folder; quote a number)"
    kinds = {
        "boolean": "true or false",
        "integer": "an integer",
        "number": "a number",
        "string": "a text",
        "array": "a list",
        "object": "keys",
    }
    text = kinds[rule["type"]]
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = [f"{words} {rule[key]}" for key, words in bounds.items() if key in rule]
    if "maxItems" in rule:
        limits.append(f"of {rule['maxItems']}")
    elif "minItems" in rule:
        limits.append("that is not empty")
    if "maxLength" in rule:
        limits.append(f"of at most {rule['maxLength']} characters")
    if rule.get("uniqueItems"):
        limits.append("without repetitions")
    return " ".join([text, " and ".join(limits)]).strip()


def _schema_mistakes(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for error in _Validator(schema).iter_errors(config):
        path = "".join(f"[{part}]" if isinstance(part, int) else f": {part}" for part in error.absolute_path)[2:]
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for key in set(error.instance) - set(known):
                where = f"{path}: " if path else ""
                if "then" in error.absolute_schema_path:
                    yield f"{where}expected nothing beside {', '.join(known)}, got {key!r}; leave one of them out"
                else:
                    yield f"{where}unknown key {key!r}; {suggest(key, known)}"
        elif error.validator == "required":
            yield f"{path + ': ' if path else ''}{error.message}; add it"
        else:
            got = f"expected {_expected(error.schema)}, got {error.instance!r}"
            yield f"{path}: {got}; change it, or leave it out for the default"


def _typed(network: str, options: Any) -> Any:
    """Options of a network, in one order and, where its signature wants numbers, read as such."""
    if network not in networks.NETWORKS or not isinstance(options, dict):
        return options
    kinds = networks.options(network)
    return {name: _number(options[name], kinds.get(name)) for name in sorted(options, key=str)}


def _read_variants(config: Mapping[str, Any], training: Mapping[str, Any]) -> None:
    """Read numbers that are texts in a sweep's variants, by the rules of what they change."""
    variants = config["sweep"].get("variants") if isinstance(config["sweep"], dict) else None
    for variant in variants.values() if isinstance(variants, dict) else ():
        changes = variant.get("training") if isinstance(variant, dict) else None
        if isinstance(changes, dict):
            kinds = {key: training.get(key, {}).get("type") for key in changes}
            variant["training"] = {key: _number(value, kinds[key]) for key, value in changes.items()}
        options = variant.get("network_options") if isinstance(variant, dict) else None
        if isinstance(options, dict):
            variant["network_options"] = {name: _typed(name, its) for name, its in options.items()}


def _try_network(name: str, size: int, oversampling: int, options: Mapping[str, Any]) -> None:
    """Make a network, and let it see two patterns."""
    # Not on torch's meta device, which would do without memory but imports torch's compiler: 1.6 s.
    model = networks.create(name, size, oversampling, **options)
    scaling = Retriever(model, oversampling * size, inputs_of(name) or "log")
    with torch.inference_mode():
        shape = tuple(model(scaling.scale(torch.zeros(2, oversampling * size, oversampling * size))).shape)
    if shape != (2, 2, size, size):
        raise ValueError(f"expected objects of shape (2, {size}, {size}) for each pattern, got {shape[1:]}")


def _network_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    for key in ("networks", "network_options"):
        for name in config[key]:
            if name not in networks.NETWORKS:
                yield f"{key}: unknown network {name!r}; {suggest(name, networks.NETWORKS)}"
    for name in config["networks"]:  # options of others wait until these are named
        if name in networks.NETWORKS:
            try:
                _try_network(
                    name, config["image_size"], config["oversampling"], config["network_options"].get(name, {})
                )
            except Exception as error:  # whatever a network of others raises
                reason = str(error).splitlines()[0] if isinstance(error, ValueError) else repr(error).splitlines()[0]
                yield f"networks: {name} cannot be made with these options and image size: {reason}"


def _study_mistakes(config: Mapping[str, Any], check_device: bool) -> Iterator[str]:
    of = sections.source(config)
    simulated = config[of]["training"]
    for size in config["samples"]:
        if size > simulated:
            yield f"samples: {size} is beyond the {simulated} simulated; lower it or raise {of}: training"
    far = "near_field" not in config  # where no symmetry is broken
    if config["partial_breaking"]["samples"] > simulated and of == "crystals" and far:
        yield f"partial_breaking: samples: expected at most the {simulated} simulated; lower it"
    fewest_vectors = min(*config["gaussian"]["samples"], config["partial_breaking"]["gaussian_samples"])
    if fewest_vectors < config["gaussian"]["neighbours"]:
        yield f"gaussian: neighbours: expected at most the smallest samples, {fewest_vectors}; lower it"
    for section, key in (("figure_samples", "count"), ("noise", "patterns")):
        if config[section][key] > config[of]["test"]:
            yield f"{section}: {key}: expected no more than {of}: test; lower it"
    if config.get("starts", {}).get("patterns", 0) > config[of]["validation"]:
        yield f"starts: patterns: expected no more than {of}: validation; lower it"
    if not {"before", "after"} <= set(config["objectives"]):
        for name in sorted(SIDES & {*config["tables"], *config["figures"]}):
            key = "tables" if name in config["tables"] else "figures"
            yield f"{key}: {name} needs the objectives before and after; add them, or take it out"
    if "starts" in config["tables"] + config["figures"] and "starts" not in config:
        yield "tables: starts needs the section starts, with its warm and cold recipes; add it"
    fewest, most = config["crystals"]["defects"]
    if fewest > most:
        yield f"crystals: defects: expected (fewest, most), got [{fewest}, {most}]; swap them"
    elif config["crystals"]["kind"] == "strained" and (fewest, most) != DEFECTS:
        yield (
            f"crystals: defects: expected none beside kind: strained, whose crystals have {PARTIALS}, got "
            f"[{fewest}, {most}]; leave it out"
        )
    if config["tensorboard"] and not find_spec("tensorboard"):
        yield "tensorboard: expected the package tensorboard, found none; pip install tensorboard, or set it to false"
    if check_device:
        try:
            devices.choose_device(config["device"])
        except ValueError as error:
            yield str(error)


def varied(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Give a config the changes of one variant of its sweep.

    Parameters
    ----------
    config : mapping
        Complete.
    name : str
        A key of ``sweep: variants``.

    Returns
    -------
    dict
        The config, with other values in ``training`` and ``network_options``.
    """
    variant = config["sweep"]["variants"][name]
    options = {**config["network_options"]}
    for network, changes in variant.get("network_options", {}).items():
        options[network] = {**options.get(network, {}), **changes}
    return {**config, "training": {**config["training"], **variant.get("training", {})}, "network_options": options}


def _training_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    if config["training"]["learning_rate_floor"] >= config["training"]["learning_rate"]:
        yield "training: learning_rate_floor: expected less than learning_rate; lower it"


def _sweep_mistakes(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    of = sections.source(config)
    if "near_field" in config:  # it is no part of `all`, and of before and after
        return
    if config["sweep"]["samples"] > config[of]["training"]:
        yield f"sweep: samples: expected at most the {config[of]['training']} simulated; lower it"
    for name, variant in config["sweep"]["variants"].items():
        other = varied(config, name)
        mistakes = list(_schema_mistakes(other, schema))
        mistakes = mistakes or list(_training_mistakes(other))
        if "versions" in variant.get("training", {}) and not mistakes:
            sides = {side: config["objectives"].get(side, {"labels": side}) for side in ("before", "after")}
            mistakes = list(sections.version_mistakes({**other, "objectives": sides}))
        if "network_options" in variant and not mistakes:
            changed = [network for network in config["networks"] if network in variant["network_options"]]
            mistakes = list(_network_mistakes({**other, "networks": changed}))
        yield from (f"sweep: variants: {name}: {mistake}" for mistake in mistakes)


def check(
    config: Mapping[Any, Any], schema: Mapping[str, Any], *, check_device: bool = True, check_files: bool = True
) -> dict[str, Any]:
    """Complete a config and refuse it if anything in it is wrong.

    Parameters
    ----------
    config, schema : mapping
        As read from their files.
    check_device : bool
        Whether the jobs run on this machine, so that a GPU that it lacks is a mistake.
    check_files : bool
        Whether files that the config names must be here: a job that does not read them does without.

    Returns
    -------
    dict
        The config with every default filled in.

    Raises
    ------
    ConfigError
        With a line for each mistake that names the key, the value and the repair.
    """
    filled = complete(config, schema)
    if isinstance(filled["network_options"], dict):
        filled["network_options"] = {name: _typed(name, its) for name, its in filled["network_options"].items()}
    _read_variants(filled, schema["properties"]["training"]["properties"])
    mistakes = list(_schema_mistakes(filled, schema))
    if not mistakes:  # the other checks rely on types and ranges
        mistakes = [
            *_network_mistakes(filled),
            *_training_mistakes(filled),
            *sections.mistakes(filled, check_files),
            *fields.mistakes(filled),
            *_study_mistakes(filled, check_device),
        ]
    if not mistakes:  # a variant of the sweep would repeat what is wrong already
        mistakes = list(_sweep_mistakes(filled, schema))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return filled
