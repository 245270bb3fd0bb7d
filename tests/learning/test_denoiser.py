"""A denoiser is trained on a study's objects, takes noise of every strength, and says what it is not for."""

import json

import pandas as pd
import pytest
import torch
from conftest import ROOT, refused
from safetensors.torch import save_file

from farfield.learning import denoiser, denoising
from farfield.learning.denoising import DenoiserSettings
from farfield.learning.networks import retriever
from farfield.physics import images

QUICK = DenoiserSettings(width=8, layers=3, epochs=12, batch_size=16, learning_rate=5e-3)


@pytest.fixture(scope="module")
def garments():
    folder = ROOT / "workflow/resources/fashion-mnist"
    return images.load("train", 300, 36, 1, folder), images.load("validation", 30, 36, 2, folder)


def train(folder, garments, settings=QUICK):
    training, validation = garments
    paths = {"path": folder / "denoiser.safetensors", "history": folder / "history.csv"}
    return denoising.fit(training, validation, settings, **paths)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, garments):
    folder = tmp_path_factory.mktemp("denoiser")
    return train(folder, garments), folder


def test_it_takes_noise_off_images_that_it_has_not_seen(trained, garments):
    model, folder = trained
    clean = garments[1].real
    for level in (50, 10):
        sigma = torch.full((len(clean),), float(level))
        noisy = denoising.add_noise(clean, sigma, torch.Generator().manual_seed(9))
        assert (noisy - clean).std() == pytest.approx(level / 255, rel=0.02)
        found = denoiser.denoise(model, noisy, level)
        assert denoising.psnr(clean, found).mean() > denoising.psnr(clean, noisy).mean() + 1
    history = pd.read_csv(folder / "history.csv")
    assert len(history) == QUICK.epochs
    assert history["psnr_50"].iloc[-1] > history["psnr_50"].iloc[0]


def test_what_it_is_told_of_the_noise_decides(trained, garments):
    """As of images without any it must take off nothing, or hardly anything."""
    model, clean = trained[0], garments[1].real
    assert denoising.psnr(clean, denoiser.denoise(model, clean, 0)).mean() > 30
    assert not torch.allclose(denoiser.denoise(model, clean, 0), denoiser.denoise(model, clean, 50), atol=1e-3)


def test_an_untrained_one_changes_nothing(garments):
    clean = garments[1].real
    assert torch.equal(denoiser.denoise(denoiser.Denoiser(width=4, layers=2).eval(), clean, 20), clean)


def test_an_image_is_denoised_by_itself(trained, garments):
    model, many = trained[0], garments[0].real[: denoiser.AT_ONCE + 5]
    whole = denoiser.denoise(model, many, 30)
    for index in (0, denoiser.AT_ONCE + 2):
        assert torch.allclose(whole[index], denoiser.denoise(model, many[index : index + 1], 30)[0], atol=1e-5)


def test_one_seed_gives_one_denoiser(trained, garments, tmp_path):
    again = train(tmp_path, garments)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), trained[0].parameters(), strict=True))
    other = train(tmp_path, garments, DenoiserSettings(8, 3, epochs=1, seed=1))
    assert not torch.equal(next(other.parameters()), next(again.parameters()))


def test_a_file_tells_what_it_holds(trained):
    model, folder = trained
    read = denoiser.load(folder / "denoiser.safetensors")
    assert (read.sigma, read.description["images"], read.description["values"]) == (60, 300, "positive")
    image = torch.rand(1, 36, 36)
    assert torch.equal(denoiser.denoise(read, image, 20), denoiser.denoise(model, image, 20))


def test_complex_objects_are_two_images_each(objects, tmp_path):
    """Whatever their global phase is: it is fixed first."""
    settings = DenoiserSettings(width=2, layers=2, epochs=1)
    turned = objects[:48] * torch.polar(torch.ones(()), torch.tensor(1.0))
    for name, crystals in (("a", objects[:48]), ("b", turned)):
        model = denoising.fit(crystals, objects[48:], settings, path=tmp_path / name, history=tmp_path / "history")
        assert (model.description["values"], model.description["images"]) == ("complex", 96)
    first, second = (denoiser.load(tmp_path / name).state_dict() for name in "ab")
    assert all(torch.allclose(first[name], second[name], atol=1e-4) for name in first)


def test_what_it_was_not_trained_for_is_refused(trained, no_shape_checks):
    model, image = trained[0], torch.zeros(1, 8, 8)
    refused(lambda: denoiser.denoise(model, image, 80), "at most 60 of 255", "got 80", "sigma: 80")
    refused(lambda: denoiser.denoise(model, image, -1), "got -1")
    refused(lambda: denoiser.denoise(model, image.to(torch.complex64), 5), "complex64 of shape (1, 8, 8)")
    refused(lambda: denoiser.denoise(model, image[0], 5), "float32 of shape (8, 8)", "add an axis")


def test_files_of_others_are_refused(trained, tmp_path):
    path = trained[1] / "denoiser.safetensors"
    refused(lambda: retriever.load(path), "without its description")
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:-9])
    refused(lambda: denoiser.load(tmp_path / "cut.safetensors"), "cut.safetensors", "whole")
    for key, words in (("farfield", "a denoiser that farfield saved"), (denoiser.KEY, "of this version")):
        save_file({"one": torch.zeros(1)}, tmp_path / "other", metadata={key: json.dumps({})})
        refused(lambda: denoiser.load(tmp_path / "other"), words)


def test_settings_and_objects_out_of_range_are_refused(garments, tmp_path):
    refused(lambda: denoiser.Denoiser(layers=1), "layers", "at least 2")
    refused(lambda: denoiser.Denoiser(sigma=0), "sigma", "got 0")
    refused(lambda: DenoiserSettings(epochs=0), "epochs", "got 0")
    refused(lambda: DenoiserSettings(learning_rate=0), "learning_rate")
    bright = 2 * garments[0]
    paths = {"path": tmp_path / "a", "history": tmp_path / "b"}
    refused(lambda: denoising.fit(bright, garments[1], QUICK, **paths), "training objects of magnitudes up to 1")
    assert not list(tmp_path.iterdir())


def test_a_training_that_diverges_leaves_nothing(garments, tmp_path):
    settings = DenoiserSettings(width=8, layers=3, epochs=3, learning_rate=1e30)
    with pytest.raises(ArithmeticError, match="lower denoiser: learning_rate"):
        train(tmp_path, garments, settings)
    assert not list(tmp_path.iterdir())
