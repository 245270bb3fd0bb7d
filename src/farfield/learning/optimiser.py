"""Adam, without torch's compiler, at a rate that a capture can follow."""

import inspect

import torch

WARM_UP = 3
"""Updates before a capture: in the first, states and gradients are allocated."""


class Adam(torch.optim.Adam):
    """torch's Adam, to the bit, that does not import the compiler: that takes a job a second or more.

    torch marks these methods as none of its compiler's business, and imports it (`torch._dynamo`) to say so.
    """

    add_param_group, zero_grad, state_dict, load_state_dict = (
        inspect.unwrap(getattr(torch.optim.Adam, name))
        for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    )
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))

    # torch would warn of every update that is not captured: the first ones, and the last of an epoch.
    _warned_capturable_if_run_uncaptured = True

    def step_at(self, rate: float | torch.Tensor) -> None:
        """Make a step at this learning rate, and leave the groups' own, Python's numbers, to schedulers."""
        kept = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] = rate
        try:
            self.step()
        finally:
            for group, own in zip(self.param_groups, kept, strict=True):
                group["lr"] = own
