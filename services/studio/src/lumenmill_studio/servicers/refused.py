"""What rendering has no use for, in every contract."""

NO_WEIGHTS = (
    ("adapters", "studio renders and has no weights to adapt; leave it empty"),
    ("sampling", "studio does not denoise; choose a preset"),
)
