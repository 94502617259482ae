"""Tests of the Helm chart, nearly all without a cluster."""
