import pytest
import scipy.fft
import torch

from farfield.fourier import fast_length, swap_axes, transform, transform_back


@pytest.mark.parametrize(("side", "length"), [(8, 8), (64, 64), (64, 80), (128, 128), (130, 256)])
def test_transforms_are_those_of_the_library_with_axes_swapped(side, length):
    images = torch.randn(2, side, side, dtype=torch.complex64)
    field = transform(images, length)
    assert torch.allclose(swap_axes(field), torch.fft.fft2(images, s=(length, length)), atol=1e-2)
    back = transform_back(field) / length**2
    assert torch.allclose(back[:, :side, :side], images, atol=1e-4)


def test_fast_lengths_are_those_of_scipy():
    assert [fast_length(n) for n in range(1, 600)] == [scipy.fft.next_fast_len(n, real=True) for n in range(1, 600)]
