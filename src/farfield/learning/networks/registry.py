"""Every network by the name that configs use; adding one changes none of the others."""

from collections.abc import Callable

from torch import nn

from farfield.learning.networks.hybrid import Hybrid, PerceptronDecoder
from farfield.learning.networks.sisprnet import SiSPRNet
from farfield.learning.networks.unet import EncoderDecoder, UNet

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "unet": EncoderDecoder,
    "unet-skip": UNet,
    "sisprnet": SiSPRNet,
    "mlp-decoder": PerceptronDecoder,
    "hybrid": Hybrid,
}
"""Every network by the name that configs use."""
