"""Adam, without torch's compiler."""

import inspect

import torch


class Adam(torch.optim.Adam):
    """torch's Adam, to the bit, that does not import the compiler: that takes a job a second or more.

    torch marks these methods as none of its compiler's business, and imports it (`torch._dynamo`) to say so.
    """

    add_param_group, zero_grad, state_dict, load_state_dict = (
        inspect.unwrap(getattr(torch.optim.Adam, name))
        for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    )
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
