"""What `lumenmill fleet` shows of a cluster, on a terminal of 80 columns."""

from rich.console import Console, Group

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_client.command import _fleet as command

_SCHEDULER = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


def _fleet() -> fleet_pb2.GetFleetResponse:
    fleet = fleet_pb2.GetFleetResponse(from_kubernetes=True)
    wan = fleet.models.add(
        name="wan2.1", num_desired=4, num_ready=2, num_starting=1, num_pending=1, num_gpus_per_pod=1,
        gpu_type="NVIDIA-H100-80GB-HBM3", backlog_s=5400, num_calls_waiting=12, num_calls_in_flight=3,
        problem=f"mill-wan-x2x: {_SCHEDULER}",
    )  # fmt: skip
    wan.min_replicas, wan.max_replicas = 0, 8
    wan.load_time.FromSeconds(190)
    fleet.models.add(name="studio", num_desired=1, num_ready=1)
    fleet.node_types.add(
        gpu_type="NVIDIA-H100-80GB-HBM3", num_nodes=2, num_usable_nodes=1, num_gpus=16, num_gpus_held=3
    )
    fleet.pods.add(
        name="mill-wan-abc", model="wan2.1", node="gpu-1", state=fleet_pb2.FLEET_POD_STATE_READY, num_restarts=2,
        num_calls=7, doing=["clip (demo-1a2b)"] * 5,
    )  # fmt: skip
    fleet.waiting_calls.add(model="wan2.1", num_calls_waiting=12, num_pods_ready=2, max_replicas=8, num_pods_that_fit=2)
    fleet.idle_gpus.add(
        reason=fleet_pb2.FLEET_IDLE_REASON_NO_MODEL, gpu_type="NVIDIA-L4", num_nodes=1, num_gpus=4,
    )  # fmt: skip
    return fleet


def _lines() -> list[str]:
    console = Console(width=80, highlight=False)
    with console.capture() as captured:
        console.print(Group(*command._sections(_fleet())))
    return captured.get().splitlines()


def test_everything_is_shown_within_80_columns() -> None:
    lines = _lines()
    assert all(len(line) <= 80 for line in lines)
    text = " ".join(" ".join(lines).split())
    for words in (
        "2 of 4 (0–8)", "1 starting, 1 pending", "90 GPU-min", "3 min", _SCHEDULER, "2 (1 take no pods)",
        "5 × clip (demo-1a2b), and 2 more", "ready, 2 restarts",
        "With maxReplicas: 10 its work takes 50% of the time.",
        "No model may use NVIDIA-L4: 4 GPUs on 1 node are idle.",
    ):  # fmt: skip
        assert set(words.split()) <= set(text.split()), words
