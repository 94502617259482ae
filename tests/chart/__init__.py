"""The Helm chart, as far as it can be proven without a cluster."""
