#!/usr/bin/env bash
# Build the images of all services, or of the given ones, with docker or buildah, and print their sizes.
#
#   images/build.sh                      all
#   images/build.sh studio orchestrator  some
#
# IMAGE_PREFIX    prefix of the service's name      (localhost/lumenmill-)
# IMAGE_TAG       tag                               (IMAGE_VERSION)
# IMAGE_VERSION   version in the image's labels     (the version of the distributions)
# IMAGE_BASE      base image: Debian or a derivative, with Python ≥ 3.11 and venv (the Dockerfile's)
# IMAGE_BUILDER   docker or buildah                 (docker if its engine answers)
# IMAGE_CA_FILE   certificate authorities that pip trusts, for a private package index or proxy; not in the image
# IMAGE_PIP_CONF  pip.conf for the installation, for a private package index; not in the image
# IMAGE_ARCHIVES  folder for a docker archive NAME.tar of every image
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${IMAGE_PREFIX:-localhost/lumenmill-}
version=${IMAGE_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' protos/pyproject.toml)}
tag=${IMAGE_TAG:-$version}
builder=${IMAGE_BUILDER:-$(docker info > /dev/null 2>&1 && echo docker || echo buildah)}
command -v "$builder" > /dev/null || { echo "images: install docker or buildah" >&2; exit 1; }
mesh="orchestrator prompter captioner studio"
# These share one layer with PyTorch and its dependencies: a node pulls it once.
neural="captioner-neural imager relighter video"

build() { # SERVICE DEPENDENCIES: the services whose requirements are in its shared layer
  local -a options=(--file Dockerfile --tag "$prefix$1:$tag" --build-arg "SERVICE=$1" --build-arg "DEPENDENCIES=$2"
    --build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD 2> /dev/null || echo unknown)")
  [ -z "${IMAGE_BASE:-}" ] || options+=(--build-arg "BASE=$IMAGE_BASE")
  [ -z "${IMAGE_CA_FILE:-}" ] || options+=(--secret "id=ca,src=$IMAGE_CA_FILE")
  [ -z "${IMAGE_PIP_CONF:-}" ] || options+=(--secret "id=pip,src=$IMAGE_PIP_CONF")
  if [ "$builder" = buildah ]; then buildah build --layers "${options[@]}" .; else docker build "${options[@]}" .; fi
}

archive() { # SERVICE
  [ -n "${IMAGE_ARCHIVES:-}" ] || return 0
  mkdir -p "$IMAGE_ARCHIVES"
  local file=$IMAGE_ARCHIVES/lumenmill-$1.tar
  rm -f "$file"
  if [ "$builder" = buildah ]; then
    buildah push --quiet "$prefix$1:$tag" "docker-archive:$file:$prefix$1:$tag"
  else
    docker save --output "$file" "$prefix$1:$tag"
  fi
}

for service in ${*:-$mesh $neural}; do
  case " $neural " in *" $service "*) shared=$neural ;; *) shared=$service ;; esac
  echo "images: $prefix$service:$tag" >&2
  build "$service" "$shared"
  archive "$service"
done
"$builder" images | grep -F "$prefix" | grep -wF "$tag"
