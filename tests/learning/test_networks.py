import json

import pytest
import torch
from safetensors.torch import save_file

from farfield.learning import batches, networks, optics
from farfield.learning.networks import retriever
from farfield.learning.networks.retriever import Retriever
from farfield.learning.networks.sisprnet import PReLU, _average_pool
from farfield.learning.networks.unet import EncoderDecoder
from farfield.physics.diffraction import measure


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_cdi_nn_has_its_published_parameters():
    class OnePart(EncoderDecoder):
        outputs = 1

    assert count(OnePart(32, 1)) == 720_321


def test_sisprnet_has_its_published_parameters():
    model = networks.create("sisprnet", 128, oversampling=1)
    assert (count(model), count(model.mlp), count(model.trunk)) == (19_256_469, 18_877_443, 379_026)
    with torch.inference_mode():
        assert model(torch.zeros(1, 128, 128)).shape == (1, 2, 128, 128)


@pytest.mark.parametrize("name", networks.NETWORKS)
@pytest.mark.parametrize(("size", "oversampling"), [(16, 2), (32, 2), (64, 2), (16, 4)])
def test_every_network_maps_patterns_to_objects(name, size, oversampling):
    model = networks.create(name, size, oversampling, width=8)
    output = model(torch.randn(3, oversampling * size, oversampling * size))
    assert output.shape == (3, 2, size, size)
    output.square().mean().backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not without


def test_skip_connections_are_what_tells_the_two_unets_apart():
    """Fine detail of the input reaches the output of the one past its 4² bottom, and not of the other."""
    torch.manual_seed(0)
    x = torch.randn(1, 64, 64, requires_grad=True)
    for name, joined in (("unet", False), ("unet-skip", True)):
        model = networks.create(name, 32, width=8)
        bottom = model.layers[6] if name == "unet" else model.bottom
        handle = bottom.register_forward_hook(lambda module, inputs, output: output.detach() * 0)
        gradient = torch.autograd.grad(model(x).sum(), x, allow_unused=True)[0]
        handle.remove()
        assert (gradient is not None and bool(gradient.any())) is joined


def test_inputs_are_standardised_per_pixel(objects):
    intensity = measure(objects)
    model = Retriever(networks.create("unet", 32, width=8), 64)
    found = batches.survey(objects, "objects", optics.FarField(2), retriever.COMPRESSIONS["log"])
    model.standardise(found.mean, found.deviation)
    scaled = model.scale(intensity)
    assert torch.allclose(scaled.mean(0), torch.zeros(64, 64), atol=1e-4)
    assert torch.allclose(scaled.std(0, correction=0), torch.ones(64, 64), atol=1e-3)
    alike = batches.survey(
        objects[:1].expand(5, -1, -1), "objects", optics.FarField(2), retriever.COMPRESSIONS["log"]
    )
    model.standardise(alike.mean, alike.deviation)
    assert not model.scale(intensity).any()


@pytest.mark.parametrize("inputs", ["log-standardized", "raw", "-normalised"])
def test_a_misspelt_scaling_is_refused(inputs):
    with pytest.raises(ValueError, match=r"expected inputs out of log, log-standardised, .*, got"):
        Retriever(networks.create("unet", 32, width=8), 64, inputs)


def test_a_model_of_another_version_is_refused(tmp_path):
    description = {"network": "unet", "image_size": 32, "oversampling": 2, "options": {}}
    for change in (
        {},
        {"inputs": "raw"},
        {"inputs": "log", "network": "nuet"},
        {"inputs": "log", "options": {"w": 3}},
        {"inputs": "log", "image_size": 32.0},
        {"inputs": "log", "options": {"width": 10**6}},
        {"inputs": "log", "oversampling": -2},
        {"inputs": None},
        {"inputs": "log", "options": None},
        {"inputs": "log", "network": ["unet"]},
    ):
        retriever.save({"a": torch.zeros(1)}, tmp_path / "old.safetensors", {**description, **change})
        with pytest.raises(ValueError, match=r"expected a model of this version of farfield, but .*; train it again"):
            networks.load(tmp_path / "old.safetensors")


def test_a_saved_network_comes_back_as_it_was(tmp_path, objects):
    model = Retriever(networks.create("sisprnet", 32, width=8, hidden=32), 64).eval()
    model.standardise(torch.rand(64, 64), 1 + torch.rand(64, 64))
    description = {"network": "sisprnet", "image_size": 32, "oversampling": 2, "options": {"width": 8, "hidden": 32}}
    description["inputs"] = "log-standardised"
    retriever.save(model.state_dict(), tmp_path / "m.safetensors", description)
    loaded = networks.load(tmp_path / "m.safetensors")
    pattern = measure(objects[:4])
    assert loaded.description == description
    assert torch.equal(loaded(pattern), model(pattern))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unett", 32), "expected a network out of unet, unet-skip, sisprnet, mlp-decoder, hybrid, got 'unett'"),
        (("unet", 33), "image size of 8, 16, 32, 64"),
        (("sisprnet", 20), "a pattern side that divides by 32"),
        (("sisprnet", 32, 3), "an oversampling of 1, 2 or 4"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        networks.create(*arguments)


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="expected options of unet out of width, got hidden"):
        networks.create("unet", 32, hidden=3)


class Options(torch.nn.Module):
    def __init__(
        self,
        image_size,
        oversampling=2,
        rate: "float" = 0.5,
        activation: str = "relu",
        skip: bool = True,
        more: int = 0,
    ):
        super().__init__()
        self.given = rate, activation, skip


def test_options_are_of_any_type_that_the_signature_takes(monkeypatch):
    monkeypatch.setitem(networks.NETWORKS, "mine", Options)
    assert networks.create("mine", 32, rate=1, activation="gelu", skip=False, more=0).given == (1, "gelu", False)
    for option, value, message in (
        ("rate", "high", "expected rate of mine as a float, got 'high'; change it"),
        ("rate", True, "expected rate of mine as a float, got True"),
        ("activation", 3, "expected activation of mine as a str, got 3"),
        ("skip", 1, "expected skip of mine as a bool, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            networks.create("mine", 32, **{option: value})


def test_files_that_are_no_models_are_refused(tmp_path):
    torch.save({"a": torch.zeros(3)}, tmp_path / "pickle.safetensors")
    with pytest.raises(ValueError, match=r"expected a whole .safetensors model"):
        retriever.load(tmp_path / "pickle.safetensors")
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="one without its description"):
        retriever.load(tmp_path / "other.safetensors")
    description = {"network": "unet", "image_size": 32, "oversampling": 2, "options": {}, "inputs": "log"}
    save_file({"a": torch.zeros(3)}, tmp_path / "wrong.safetensors", metadata={"farfield": json.dumps(description)})
    with pytest.raises(ValueError, match="expected weights of unet"):
        retriever.load(tmp_path / "wrong.safetensors")
    model = Retriever(networks.create("unet", 32, width=8), 64)
    retriever.save(model.state_dict(), tmp_path / "cut.safetensors", {**description, "options": {"width": 8}})
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "cut.safetensors").read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"expected a whole .safetensors model"):
        retriever.load(tmp_path / "cut.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_faster_prelu_is_torchs(dtype):
    x = torch.randn(3, 5, 8, 8).to(dtype).requires_grad_()
    ours, theirs = PReLU(), torch.nn.PReLU()
    for module in (ours, theirs):
        x.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            (module(x).float().square().sum()).backward()
        module.gradient = x.grad
    assert torch.equal(ours(x), theirs.to(dtype)(x))
    assert torch.allclose(ours.gradient, theirs.gradient)
    assert torch.allclose(
        ours.weight.grad, theirs.weight.grad.float(), rtol=1e-2 if dtype == torch.bfloat16 else 1e-5
    )


def test_prelu_takes_a_gradient_of_another_layout():
    x = torch.randn(3, 5, 8, 8, requires_grad=True)
    gradient = torch.randn(3, 5, 8, 8).contiguous(memory_format=torch.channels_last)
    ours, theirs = (torch.autograd.grad(module(x), x, gradient)[0] for module in (PReLU(), torch.nn.PReLU()))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [2, 4])
def test_the_faster_pooling_is_torchs(layout, size):
    x = torch.randn(3, 5, 8, 16).contiguous(memory_format=layout).requires_grad_()
    ours, theirs = _average_pool(x, size), torch.nn.functional.avg_pool2d(x, size)
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    gradient = torch.randn_like(theirs)
    assert torch.allclose(*(torch.autograd.grad(pooled, x, gradient)[0] for pooled in (ours, theirs)))
