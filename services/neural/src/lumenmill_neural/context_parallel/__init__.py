"""Context parallelism: several GPUs share the tokens of one clip, so that the clip is finished sooner.

Each rank computes its part of the denoiser's tokens by Ulysses sequence parallelism (Jacobs et al., 2023,
arXiv:2309.14509), as diffusers implements it. Rank 0 is the process that serves requests and runs the pipeline: text
encoding, noise, scheduler, VAE and cancellation are its alone. The other ranks are child processes that hold only the
denoiser and its adapters. Rank 0 sends them every call of the denoiser with its tensors; they end when rank 0 ends.
"""
