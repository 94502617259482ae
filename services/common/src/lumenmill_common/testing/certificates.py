"""Certificates by openssl."""

import subprocess
from pathlib import Path

__all__ = ["make_authority", "make_certificate"]


def _openssl(folder: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607


def make_authority(folder: Path, name: str = "ca") -> None:
    """Write `<name>.pem` and `<name>.key` of a new authority."""
    _openssl(folder, f"req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -subj /CN={name}")


def make_certificate(folder: Path, name: str, authority: str = "ca", days: int = 1) -> None:
    """Write `<name>.pem` and `<name>.key` for this machine, signed by an authority; 0 days make an expired one."""
    _openssl(folder, f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
    signed_by = f"-CA {authority}.pem -CAkey {authority}.key -CAcreateserial"
    _openssl(folder, f"x509 -req -in {name}.csr {signed_by} -out {name}.pem -extfile san -days {days}")
