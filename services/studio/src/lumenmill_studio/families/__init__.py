"""Model families behind the contracts: one file for each."""
