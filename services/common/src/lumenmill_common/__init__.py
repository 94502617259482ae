"""How every Lumenmill service is served: jobs, artifacts, errors, settings, telemetry. No model code lives here."""
