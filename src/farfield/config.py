"""A study's config: defaults filled in, and every mistake found before the first job, in a line each."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import jsonschema
import torch

from farfield import iterative, networks, training

_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    # JSON takes 32.0 for an integer; a size that Python would not count with is a mistake here.
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


class ConfigError(ValueError):
    """A config that no job must start from; one line for each mistake."""


def complete(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the schema's defaults, at every level.

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
        if isinstance(value, dict) and isinstance(rule, dict):
            filled[key] = complete(value, rule)
    return filled


def _suggest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _expected(error: jsonschema.ValidationError) -> str:
    """Say in words what a schema rule asks for."""
    rule = error.schema
    if "enum" in rule:
        return f"one of {', '.join(rule['enum'])}"
    if "pattern" in rule:
        return "letters, digits, '.', '_' and '-' (it names a folder)"
    kinds = {
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
    if "minItems" in rule:
        limits.append(f"with at least {rule['minItems']} entries" if rule["minItems"] > 1 else "that is not empty")
    if rule.get("uniqueItems"):
        limits.append("without repetitions")
    return " ".join([text, " and ".join(limits)]).strip()


def _repair(value: Any, rule: Mapping[str, Any]) -> str:
    if isinstance(value, str) and rule.get("type") == "number" and value.replace("e-", "").isdigit():
        return f"YAML takes that for text: write {value.replace('e', '.0e')}"
    return "change it, or leave it out for the default"


def _schema_mistakes(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for error in _Validator(schema).iter_errors(config):
        path = "".join(f"[{part}]" if isinstance(part, int) else f": {part}" for part in error.absolute_path)[2:]
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for key in set(error.instance) - set(known):
                where = f"{path}: " if path else ""
                yield f"{where}unknown key {key!r}; {_suggest(key, known)}"
        else:
            repair = _repair(error.instance, error.schema)
            yield f"{path}: expected {_expected(error)}, got {error.instance!r}; {repair}"


def _network_mistakes(config: Mapping[str, Any]) -> Iterator[str]:
    for name in config["networks"]:
        if name not in networks.NETWORKS:
            yield f"networks: unknown network {name!r}; {_suggest(name, networks.NETWORKS)}"
            continue
        try:
            with torch.device("meta"):
                options = config["network_options"].get(name, {})
                networks.create(name, config["image_size"], config["oversampling"], **options)
        except (ValueError, TypeError, RuntimeError) as error:
            yield f"networks: {name} cannot be made: {error}"
    for name in set(config["network_options"]) - set(networks.NETWORKS):
        yield f"network_options: unknown network {name!r}; {_suggest(name, networks.NETWORKS)}"


def _study_mistakes(config: Mapping[str, Any], check_device: bool) -> Iterator[str]:
    simulated = config["crystals"]["training"]
    for size in config["samples"]:
        if size > simulated:
            yield f"samples: {size} is beyond the {simulated} simulated; lower it or raise crystals: training"
    fewest, most = config["crystals"]["defects"]
    if fewest > most:
        yield f"crystals: defects: expected (fewest, most), got [{fewest}, {most}]; swap them"
    if config["training"]["learning_rate_floor"] >= config["training"]["learning_rate"]:
        yield "training: learning_rate_floor: expected less than learning_rate; lower it"
    for name, baseline in config["baselines"].items():
        if name in networks.NETWORKS:
            yield f"baselines: {name!r} is the name of a network; choose another"
        try:
            iterative.parse(baseline["recipe"])
        except iterative.RecipeError as error:
            yield f"baselines: {name}: recipe: {error}"
    if check_device:
        try:
            training.choose_device(config["device"])
        except ValueError as error:
            yield str(error)


def check(config: Mapping[str, Any], schema: Mapping[str, Any], *, check_device: bool = True) -> dict[str, Any]:
    """Complete a config and refuse it if anything in it is wrong.

    Parameters
    ----------
    config, schema : mapping
        As read from their files.
    check_device : bool
        Whether the jobs run on this machine, so that a GPU that it lacks is a mistake.

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
    mistakes = list(_schema_mistakes(filled, schema))
    if not mistakes:  # the other checks rely on types and ranges
        mistakes = [*_network_mistakes(filled), *_study_mistakes(filled, check_device)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return filled
