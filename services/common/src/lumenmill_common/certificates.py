"""When the certificates of this process end, told as metrics, so that somebody is warned before calls fail."""

import math
from functools import partial
from pathlib import Path

from cryptography import x509

from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import CERTIFICATE_EXPIRY

__all__ = ["watch_certificates"]


def watch_certificates(security: SecuritySettings) -> None:
    """Tells the end of every certificate that the settings name. Files are read at each scrape, since they rotate."""
    for name, file in {
        "own": security.tls_cert_file,
        "ca": security.tls_ca_file,
        "client_ca": security.tls_client_ca_file,
    }.items():
        if file is not None:
            CERTIFICATE_EXPIRY.labels(name).set_function(partial(_end_s, file, is_chain=name == "own"))


def _end_s(file: Path, *, is_chain: bool) -> float:
    """Unix seconds at which a chain's first certificate ends, or the last of several authorities; NaN when there is
    nothing to read, since an exception would take all other metrics along."""
    try:
        ends_s = [found.not_valid_after_utc.timestamp() for found in x509.load_pem_x509_certificates(file.read_bytes())]
    except (OSError, ValueError):
        return math.nan
    return min(ends_s) if is_chain else max(ends_s)
