"""Servicers: proto to family, nothing else."""
