"""The service framework: serving, jobs, artifacts, errors, settings and telemetry of every service, without models."""
