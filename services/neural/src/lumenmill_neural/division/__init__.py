"""One model on several GPUs: each computes its part of the denoiser's tokens, so that a clip is done sooner.

Ulysses sequence parallelism (Jacobs et al., 2023, arXiv:2309.14509) as diffusers has it. Only calls of the denoiser are
made together. The leader, which serves, tells its members each call with its tensors; words, pictures, noise, steps,
VAE, cancelling and the memory of all that are the leader's alone. A member is a process with the denoiser and its
adapters, and lives as long as its leader.
"""

from lumenmill_neural.division.leader import Leader
from lumenmill_neural.division.role import Role

__all__ = ["Leader", "Role"]
