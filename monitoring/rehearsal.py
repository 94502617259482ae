"""Runs a real mesh under a real Prometheus for a few minutes, so that every metric has data.

It runs recipes with accepted, rejected, failed and re-used work and neural models on tiny checkpoints, kills processes,
damages an artifact and collects garbage.
"""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ruamel.yaml import YAML

from monitoring.one_machine import write_configuration, write_targets
from monitoring.prometheus import Prometheus, running_prometheus

__all__ = ["Rehearsal", "run_rehearsal"]

ROOT = Path(__file__).parents[1]
_SCRAPE_S = 2
_COMMAND_S, _RUNS_S = 120.0, 900.0
_ACTIVE = ("queued", "running", "paused")
# Long enough for the orchestrator to find the process unresponsive and for work to wait. Repeated kills make the
# supervisor back off.
_STOPPED_S = 15.0
_BETWEEN_KILLS_S, _BETWEEN_ROUNDS_S = 3.0, 5.0
# Metrics of runs are updated every 5 s, and then scraped.
_NUM_ITEMS_OF_PAUSED_RUN, _PAUSED_S = 200, 15.0
# The last changes must be scraped and lie within every window.
_SETTLE_S = 4.0 * _SCRAPE_S


@dataclass
class Rehearsal:
    """The result of a rehearsal: Prometheus with the data, and the time that it covers."""

    prometheus: Prometheus
    start_s: float
    end_s: float
    has_neural: bool


@dataclass(frozen=True)
class _Size:
    num_groups: int
    num_rounds: int
    num_pictures: int


@dataclass
class _Mesh:
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, may_fail: bool = False) -> str:
        """Run the command and return its output.

        Raises:
            RuntimeError: the command fails.
        """
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "lumenmill_client.command", "--home", str(self.home), *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            check=False,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
        )
        if done.returncode and not may_fail:
            raise RuntimeError(f"lumenmill {' '.join(arguments)}: {done.stderr[-1500:]}")
        return done.stdout

    def submit(self, recipe: str, *settings: str) -> None:
        """Submit a run with parameters as `name=value`, as soon as the orchestrator answers."""
        arguments = ("run", recipe, "--detach", *(part for setting in settings for part in ("--set", setting)))
        deadline_s = time.monotonic() + _COMMAND_S
        while not self.run(*arguments, may_fail=time.monotonic() < deadline_s):
            time.sleep(_SCRAPE_S)

    def wait_for_all_runs(self) -> None:
        """Wait until every run has ended.

        Raises:
            TimeoutError: a run takes too long.
        """
        deadline_s = time.monotonic() + _RUNS_S
        while time.monotonic() < deadline_s:
            listing = self.run("runs", "--json", may_fail=True)
            if listing and not any(run["state"] in _ACTIVE for run in json.loads(listing)):
                return
            time.sleep(_SCRAPE_S)
        raise TimeoutError(f"runs have not ended after {_RUNS_S:.0f} s")

    def newest(self) -> dict[str, Any]:
        """Return the run that was submitted last."""
        run: dict[str, Any] = json.loads(self.run("runs", "--json"))[0]
        return run

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process of the mesh, if it is running."""
        services = json.loads((self.home / "run" / "mesh.json").read_text())["services"]
        pid = next(service["pid"] for service in services if service["name"] == name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def run_rehearsal(
    folder: Path,
    binary: str,
    *,
    num_groups: int = 1,
    num_rounds: int = 3,
    num_pictures: int = 4,
    exporters: Mapping[str, str] | None = None,
) -> Iterator[Rehearsal]:
    """Rehearse in an empty folder; Prometheus answers inside the block. `exporters` are further addresses to scrape.

    Raises:
        RuntimeError: a part of it does not start or fails; the message says why.
    """
    mesh, prometheus_folder = _Mesh(folder / "home", {"OMP_NUM_THREADS": "1"}), folder / "prometheus"
    prometheus_folder.mkdir()
    has_neural = importlib.util.find_spec("lumenmill_video") is not None
    up = ["up", *(["--models", str(_small_models(folder / "models"))] if has_neural else [])]
    with contextlib.ExitStack() as stack:
        stack.callback(mesh.run, "down", may_fail=True)
        mesh.run(*up)
        secure = stack.enter_context(_secure_service(folder))
        configuration = write_configuration(prometheus_folder, f"{_SCRAPE_S}s")
        _add_exporters(configuration, {"secure": secure, **(exporters or {})})
        stack.enter_context(_updating_targets(mesh.home, prometheus_folder))
        prometheus = stack.enter_context(running_prometheus(binary, configuration, folder / "prometheus.log"))
        start_s = time.time()
        _work(mesh, _Size(num_groups, num_rounds, num_pictures), has_neural=has_neural)
        time.sleep(_SETTLE_S)
        yield Rehearsal(prometheus, start_s, time.time(), has_neural)


def _work(mesh: _Mesh, size: _Size, *, has_neural: bool) -> None:
    small = ("num_relight_variants=1", "preset=fast")
    demo = ("recipes/demo.yaml", *small, f"num_img_sets={size.num_groups}", "num_clip_sets=1", "num_video_variants=1")
    strict = ("recipes/light-groups.yaml", *small, f"num_img_sets={size.num_groups}", "largest_intensity_error_ev=0.05")
    mesh.submit(*demo)
    # Counters are scraped at least once before they increase.
    for number in range(size.num_rounds if has_neural else 0):
        words = json.dumps([f"kettle {number}.{picture}" for picture in range(size.num_pictures)])
        mesh.submit("monitoring/rehearsal.yaml", f"words={words}", f'refused=["{number}"]')
        time.sleep(_BETWEEN_ROUNDS_S)
    if has_neural:
        _pause_a_run(mesh)
    mesh.submit(*strict)
    mesh.send("studio", signal.SIGSTOP)
    time.sleep(_STOPPED_S)
    for name in ("studio", "studio", "studio", "orchestrator"):
        mesh.send(name, signal.SIGKILL)
        time.sleep(_BETWEEN_KILLS_S)
    mesh.wait_for_all_runs()
    mesh.submit(*demo)
    mesh.wait_for_all_runs()
    _cause_errors(mesh)
    mesh.run("store", "gc", "--min-age-s", "0")


def _pause_a_run(mesh: _Mesh) -> None:
    """Pause a run once its remaining time is estimated, and cancel it; it is too large to end before."""
    words = json.dumps([f"spoon {number}" for number in range(_NUM_ITEMS_OF_PAUSED_RUN)])
    mesh.submit("monitoring/rehearsal.yaml", f"words={words}", "refused=[]")  # without items, to estimate one pipeline
    run = mesh.newest()
    while run["state"] in _ACTIVE and "estimated_remaining" not in run:
        run = mesh.newest()
    mesh.run("pause", run["id"])
    time.sleep(_PAUSED_S)
    mesh.run("cancel", run["id"])


def _cause_errors(mesh: _Mesh) -> None:
    """Store an artifact with a wrong digest and verify the store repeatedly; pause a run that has ended."""
    damaged = mesh.home / "store" / "objects" / "00" / f"{'0' * 64}.json"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_text("bytes with another digest")
    ended = mesh.newest()["id"]
    for _ in range(3):
        mesh.run("store", "verify", may_fail=True)
        mesh.run("pause", ended, may_fail=True)
        time.sleep(_SCRAPE_S)


def _small_models(folder: Path) -> Path:
    """Write a file of models for `lumenmill up`: one of images and one of clips, a megabyte each; return its path."""
    folder.mkdir()
    small = _module_at(ROOT / "tests" / "neural" / "small_models.py")
    models = {
        "flux": small.SmallModel("imager", "FLUX.1-dev", small.SMALL),
        "wan": small.SmallModel("video", "Wan2.1-T2V-1.3B", small.SMALL_CLIP),
    }
    path = folder / "models.yaml"
    with path.open("w") as file:
        YAML().dump(
            {name: {"service": model.service, **model.settings_in(folder / name)} for name, model in models.items()},
            file,
        )
    return path


def _module_at(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} is not a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _updating_targets(home: Path, prometheus_folder: Path) -> Iterator[None]:
    """Keep the list of processes current inside the block."""
    stopped = threading.Event()

    def update() -> None:
        while not stopped.wait(1.0):
            write_targets(home, prometheus_folder)

    write_targets(home, prometheus_folder)
    thread = threading.Thread(target=update, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _add_exporters(configuration: Path, exporters: Mapping[str, str]) -> None:
    yaml = YAML()
    loaded = yaml.load(configuration)
    for name, address in exporters.items():
        loaded["scrape_configs"].append(
            {
                "job_name": name,
                "honor_labels": True,
                "static_configs": [
                    {"targets": [address], "labels": {"namespace": "local", "instance": name, "model": name}}
                ],
            }
        )
    with configuration.open("w") as file:
        yaml.dump(loaded, file)


@contextlib.contextmanager
def _secure_service(folder: Path) -> Iterator[str]:
    """Run a service with TLS, outside the mesh, for the metric of its certificate; yield the address of its metrics."""
    folder = folder / "secure"
    folder.mkdir()
    request = "req -x509 -newkey rsa:2048 -nodes -days 30 -keyout own.key -out own.pem -subj /CN=localhost"
    subprocess.run(["openssl", *request.split()], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607
    environment = os.environ | {
        "LUMENMILL_FAMILY": "grammar",
        "LUMENMILL_LISTEN_ADDRESS": "127.0.0.1:0",
        "LUMENMILL_METRICS_ADDRESS": "127.0.0.1:0",
        "LUMENMILL_ADDRESS_FILE": str(folder / "address.json"),
        "LUMENMILL_STORE_URL": (folder / "store").as_uri(),
        "LUMENMILL_TLS_CERT_FILE": str(folder / "own.pem"),
        "LUMENMILL_TLS_KEY_FILE": str(folder / "own.key"),
    }
    command = [sys.executable, "-m", "lumenmill_prompter"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=environment, stderr=log) as process:  # noqa: S603
        try:
            yield _metrics_of(folder / "address.json", process)
        finally:
            process.kill()


def _metrics_of(address_file: Path, process: "subprocess.Popen[bytes]") -> str:
    while not address_file.is_file():
        if process.poll() is not None:
            raise RuntimeError(f"the service with TLS does not start; see {address_file.parent / 'log'}")
        time.sleep(0.1)
    return str(json.loads(address_file.read_text())["metrics"])
