"""Metrics of when the certificates of this process expire, for alerts before calls fail."""

import math
from functools import partial
from pathlib import Path

from cryptography import x509

from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import CERTIFICATE_EXPIRY

__all__ = ["watch_certificates"]


def watch_certificates(security: SecuritySettings) -> None:
    """Publish the expiry of every certificate of the settings. Files are read at each scrape: they may be rotated."""
    for name, file in {
        "own": security.tls_cert_file,
        "ca": security.tls_ca_file,
        "client_ca": security.tls_client_ca_file,
    }.items():
        if file is not None:
            CERTIFICATE_EXPIRY.labels(name).set_function(partial(_expiry_s, file, is_chain=name == "own"))


def _expiry_s(file: Path, *, is_chain: bool) -> float:
    """Return the Unix seconds at which the first certificate of a chain expires, or the last of several authorities.

    NaN when the file cannot be read, since an exception would prevent all other metrics.
    """
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
        expiries_s = [found.not_valid_after_utc.timestamp() for found in certificates]
    except (OSError, ValueError):
        return math.nan
    return min(expiries_s) if is_chain else max(expiries_s)
