"""Tests run on one thread: their networks are tiny, and a machine's cores may be busy."""

import torch

torch.set_num_threads(1)
