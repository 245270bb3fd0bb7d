import subprocess
import sys

import torch

from farfield.learning.optimiser import Adam

PROGRAM = """
import sys, torch
from farfield.learning.optimiser import Adam
model = torch.nn.Linear(3, 1)
optimizer = Adam(model.parameters(), fused=True)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
model(torch.ones(2, 3)).sum().backward()
optimizer.step()
schedule.step()
optimizer.zero_grad(set_to_none=True)
optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""


def test_it_does_not_import_the_compiler():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def train(adam: type[torch.optim.Adam]) -> torch.Tensor:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    optimizer = adam(model.parameters(), 1e-2, fused=True)
    for _ in range(20):
        loss = model(torch.randn(16, 4)).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_it_is_torchs_adam_to_the_bit():
    assert torch.equal(train(Adam), train(torch.optim.Adam))
