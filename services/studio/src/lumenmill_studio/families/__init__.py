"""Model families behind the contracts; add a file here to add one."""
