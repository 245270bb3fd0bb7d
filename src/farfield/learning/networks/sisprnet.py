"""SiSPRNet (Ye, Wang, Lun, Opt. Express 30, 31937, 2022): an MLP, then up-reconstruction with attention."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn
from torch._C._functorch import is_functorch_wrapped_tensor


def _by_passes(x: torch.Tensor) -> bool:
    """Whether the functions below are for it: it is on a CPU, and of no `vmap`, which cannot go into them."""
    return x.is_cpu and not is_functorch_wrapped_tensor(x)


class _ScaleNegative(torch.autograd.Function):
    """PReLU's arithmetic by passes that are vectorised on CPUs, where its own backward pass is not."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        ctx.slope = slope.item()
        ctx.save_for_backward(x)
        return F.leaky_relu(x, ctx.slope)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        (x,) = ctx.saved_tensors
        # Two layouts of memory in one operation take it three times as long.
        gradient = gradient if gradient.stride() == x.stride() else torch.empty_like(x).copy_(gradient)
        along_slope = (x.clamp_max(0) * gradient).sum(dtype=torch.float32)
        return torch.ops.aten.leaky_relu_backward(gradient, x, ctx.slope, False), along_slope[None]


class PReLU(nn.PReLU):
    """torch's PReLU with one slope, faster to train on CPUs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale what is negative."""
        return _ScaleNegative.apply(x, self.weight) if _by_passes(x) else super().forward(x)


class _AveragePool(torch.autograd.Function):
    """torch's average pooling by passes that are vectorised on CPUs: it is so only with channels last."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, size: int) -> torch.Tensor:
        ctx.size = size
        return F.avg_pool2d(x.contiguous(memory_format=torch.channels_last), size)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return F.interpolate(gradient / ctx.size**2, scale_factor=ctx.size), None


def _average_pool(x: torch.Tensor, size: int) -> torch.Tensor:
    return _AveragePool.apply(x, size) if _by_passes(x) else F.avg_pool2d(x, size)


def _conv_norm(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.InstanceNorm2d(outputs), PReLU())


class NonLocal(nn.Module):
    """Attention between all places of a map at half resolution, against keys at an eighth; no residual."""

    def __init__(self, channels: int):
        super().__init__()
        self.query, self.key, self.value = (nn.Conv2d(channels, channels // 2, 1) for _ in range(3))
        self.back = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: Float[torch.Tensor, "batch c h w"]) -> Float[torch.Tensor, "batch c h w"]:
        """Attend."""
        half = _average_pool(x, 2)
        coarse = _average_pool(half, 4)
        query = self.query(half).flatten(2).transpose(1, 2)
        key, value = self.key(coarse).flatten(2), self.value(coarse).flatten(2).transpose(1, 2)
        attended = (torch.softmax(query @ key, dim=-1) @ value).transpose(1, 2)
        attended = self.back(attended.reshape(len(x), -1, *half.shape[-2:]))
        return F.interpolate(attended, scale_factor=2)


class UpReconstruction(nn.Module):
    """The published UR block: convolutions with non-local attention, beside a convolved skip."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.main = nn.Sequential(
            _conv_norm(inputs, outputs), NonLocal(outputs), _conv_norm(outputs, outputs), NonLocal(outputs)
        )
        self.skip = _conv_norm(inputs, outputs)
        self.activation = PReLU()

    def forward(self, x: Float[torch.Tensor, "batch c h w"]) -> Float[torch.Tensor, "batch k h w"]:
        """Sum both paths."""
        return self.activation(self.main(x) + self.skip(x))


class SiSPRNet(nn.Module):
    """SiSPRNet, with its published 19 256 469 parameters at a pattern and an object of 128².

    As published, the embedding is a quarter of the pattern's side. What an oversampled object has fewer pixels
    is taken from the number of PixelShuffle stages: two at oversampling 1, one at 2, the last ones being kept.

    Parameters
    ----------
    image_size : int
        Side of the object's frame; the embedding, oversampling · image_size / 4 a side, must divide by 8.
    oversampling : int
        Pattern pixels per object pixel and axis: 1, 2 or 4.
    hidden : int
        Width of the MLP; published 1024.
    width : int
        Channels of the first convolution, which the others are multiples of; published 32.
    """

    memory_format = torch.contiguous_format  # as instance normalisation wants it

    def __init__(self, image_size: int, oversampling: int = 2, hidden: int = 1024, width: int = 32):
        super().__init__()
        pattern = oversampling * image_size
        self.side = pattern // 4
        stages = {1: 2, 2: 1, 4: 0}.get(oversampling)
        if stages is None or self.side % 8 or pattern % 4:
            raise ValueError(
                f"expected an oversampling of 1, 2 or 4 and a pattern side that divides by 32 for sisprnet, got "
                f"oversampling {oversampling} and {pattern}; choose an image size of 16, 32, 64, …"
            )
        self.mlp = nn.Sequential(
            nn.Flatten(),
            nn.Linear(pattern**2, hidden),
            PReLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, hidden),
            PReLU(),
            nn.Linear(hidden, self.side**2),
            PReLU(),
        )
        blocks = [(width, 4 * width), (width, 2 * width)][2 - stages :]
        trunk = [_conv_norm(1, width)]
        for inputs, outputs in blocks:
            trunk += [UpReconstruction(inputs, outputs), nn.PixelShuffle(2)]
        last = blocks[-1][1] // 4 if blocks else width
        self.trunk = nn.Sequential(*trunk, nn.Conv2d(last, 2, 3, padding=1), PReLU(), nn.Conv2d(2, 2, 3, padding=1))
        self.apply(_initialise)

    def forward(self, amplitude: Float[torch.Tensor, "batch m m"]) -> Float[torch.Tensor, "batch 2 n n"]:
        """Predict real and imaginary parts from scaled amplitudes."""
        return self.trunk(self.mlp(amplitude).reshape(-1, 1, self.side, self.side))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(module.bias)
