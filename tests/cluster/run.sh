#!/usr/bin/env bash
# Run the tests on a Kubernetes cluster: all of them, or those selected by options of pytest: `run.sh -k keda`.
#
# With KUBECONFIG: on that cluster, which must be one for tests. It needs kubectl and helm on PATH, the images (`make images`)
# as $LUMENMILL_TEST_REGISTRY/lumenmill-*:$LUMENMILL_TEST_TAG and, for the upgrade, with the tag $LUMENMILL_TEST_NEXT_TAG, and
# nodes that can be reached by their internal addresses. The test of scaling needs KEDA.
#
# Without: on a local node, which LUMENMILL_TEST_CLUSTER starts: a program with the commands `up`, `down`, `exec COMMAND…`,
# `kubeconfig`, `load IMAGE.tar`, `image NAME PROGRAM`, `base-image` and `keda`. LUMENMILL_TEST_CLUSTER_BUILD=1 builds its
# programs (20 minutes) when they are missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
options=("$@")
pytest() { # the tests of an installed mesh; then those of a cluster without one, which add 500 nodes
  local python=("$@" "$PWD/.venv/bin/python" -m pytest --timeout 900)
  "${python[@]}" tests/cluster "${options[@]}"
  [ ${#options[@]} -eq 0 ] || return 0
  "${python[@]}" tests/chart/test_api_server.py orchestrator/tests/fleet/test_on_a_cluster.py \
    orchestrator/tests/fleet/test_many_nodes.py
}
selected() { "$PWD/.venv/bin/python" -m pytest --collect-only tests/cluster "${options[@]}"; }
if [ -n "${KUBECONFIG:-}" ]; then
  pytest env
  exit
fi

cluster=${LUMENMILL_TEST_CLUSTER:-../shared/cluster/cluster}
programs=${LUMENMILL_CLUSTER_DIR:-/var/lib/lumenmill-cluster}/bin
skip() { echo "SKIPPED the tests on a cluster: $*"; exit 0; }
[ -x "$cluster" ] || skip "no cluster: neither KUBECONFIG nor LUMENMILL_TEST_CLUSTER"
[ "$(id -u)" = 0 ] || skip "a local node needs root"
if [ ! -x "$programs/keda-operator" ] || [ ! -x "$programs/kwok" ]; then
  [ "${LUMENMILL_TEST_CLUSTER_BUILD:-}" = 1 ] || skip "its programs are not built; LUMENMILL_TEST_CLUSTER_BUILD=1 builds them (20 minutes)"
  "$cluster" build extras
fi

# The kubelet deletes images, those of sandboxes included, when less than 15 % of the disk is free; building needs up to 12 GiB.
available_gib=$(df --block-size=1G --output=avail,size "$programs" | awk 'NR == 2 {print int($1 - 0.15 * $2)}')
[ "$available_gib" -ge 12 ] || skip "$available_gib GiB of the disk are free above 15 % of it, and 12 are needed"

archives=$(mktemp -d)
volumes=$(mktemp -d)
chmod 755 "$volumes"
trap 'rm -rf "$archives" "$volumes"' EXIT
export STORAGE_DRIVER=overlay BUILDAH_ISOLATION=chroot IMAGE_BUILDER=buildah IMAGE_BASE=localhost/python-base:bookworm
export IMAGE_CA_FILE=${IMAGE_CA_FILE:-/etc/ssl/certs/ca-certificates.crt} IMAGE_ARCHIVES=$archives
base=$("$cluster" base-image)
buildah inspect --type image "$IMAGE_BASE" > /dev/null 2>&1 || buildah pull --quiet "docker-archive:$base" > /dev/null
"$cluster" up || skip "the node could not be started, or is in use"
trap '"$cluster" down; rm -rf "$archives" "$volumes"' EXIT

load() { # SERVICE…: build, import, and delete the archive
  for service in "$@"; do
    images/build.sh "$service" > "$archives/build.log" 2>&1 || { tail -30 "$archives/build.log"; exit 1; }
    "$cluster" load "$archives/lumenmill-$service.tar" > /dev/null
    rm "$archives/lumenmill-$service.tar"
  done
}
echo "building images and loading them into the node"
export LUMENMILL_TEST_REGISTRY=localhost LUMENMILL_TEST_TAG=test LUMENMILL_TEST_NEXT_TAG=test-next
IMAGE_TAG=$LUMENMILL_TEST_TAG load orchestrator prompter captioner studio
if [[ $(selected) == *test_upgrade* ]]; then
  IMAGE_TAG=$LUMENMILL_TEST_NEXT_TAG IMAGE_VERSION=next load orchestrator prompter captioner studio
fi
buildah build --quiet --layers --tag localhost/postgres:test --build-arg "BASE=$IMAGE_BASE" \
  --file tests/cluster/images/postgres.Dockerfile tests/cluster/images > /dev/null
buildah push --quiet localhost/postgres:test "docker-archive:$archives/postgres.tar:localhost/postgres:test"
"$cluster" load "$archives/postgres.tar" > /dev/null
rm "$archives/postgres.tar"
"$cluster" image localhost/minio:test "$programs/minio" > /dev/null
if [[ $(selected) == *test_keda* ]]; then "$cluster" keda > /dev/null; fi

# Volumes for claims; the node has no provisioner.
for index in $(seq 8); do
  mkdir -m 777 "$volumes/$index"
  echo "---"
  echo "{apiVersion: v1, kind: PersistentVolume, metadata: {name: lumenmill-test-$index}, spec: {storageClassName: lumenmill-test,"
  echo "capacity: {storage: 2Gi}, accessModes: [ReadWriteOnce], hostPath: {path: $volumes/$index}}}"
done | "$cluster" exec "$programs/kubectl" apply -f - > /dev/null
export KUBECONFIG LUMENMILL_TEST_VALUES=$PWD/tests/cluster/values-own-node.yaml
KUBECONFIG=$("$cluster" kubeconfig)
export PATH=$programs:$PATH
pytest "$cluster" exec
