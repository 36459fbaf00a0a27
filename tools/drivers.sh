#!/bin/bash
# Installs the Vulkan loader and drivers that run on the CPU, for tests on a machine without a GPU.
#
#   tools/drivers.sh               loader, Mesa's drivers and the validation layers, by apt (root or passwordless sudo)
#   tools/drivers.sh --extra       also unpacks lavapipe 25, RADV 25 and SwiftShader below ${XDG_CACHE_HOME:-~/.cache}
#   tools/drivers.sh --print-env   only prints VK_DRIVER_FILES=... for the CPU drivers that are there, e.g. for
#                                  export "$(tools/drivers.sh --print-env)"
#
# Three CPU drivers stand in for three vendors: they differ in subgroup size, in types, in limits and in extensions.
# The extra ones are unpacked, not installed: two versions of Mesa cannot be installed beside each other, and
# SwiftShader is packaged only as a part of Chromium. RADV, from lavapipe's package, runs nothing: it compiles for AMD's
# GPUs that are not there (tools/radv.py).
set -euo pipefail
source "$(dirname "$0")/common.sh"

packages=(libvulkan1 mesa-vulkan-drivers vulkan-validationlayers)
drivers=${XDG_CACHE_HOME:-$HOME/.cache}/krnlpy-drivers
lavapipe=$drivers/lavapipe-25
radv=$drivers/radv-25
swiftshader=$drivers/swiftshader
scratch=

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

install_packages() {
  local package missing=()
  for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  apt_get update
  apt_get install -y --no-install-recommends "${missing[@]}"
}

# The loader takes a relative library_path, as the packages' manifests have it, for the name of an installed library.
write_manifest() { # MANIFEST LIBRARY API_VERSION
  printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "%s"}}\n' "$2" "$3" >"$1.part"
  mv "$1.part" "$1"
}

check_library() { # LIBRARY
  local missing
  missing=$(ldd "$1" | sed -n 's/^[[:space:]]*\(.*\) => not found.*/\1/p')
  [[ -z $missing ]] || fail "$1 needs libraries that are not installed: ${missing//$'\n'/ }"
}

# Adds PACKAGE's files to $scratch/root. Any apt options come after the name.
unpack() { # PACKAGE [APT_OPTION ...]
  local package=$1 debs
  shift
  mkdir -p "$scratch/debs/$package"
  (cd "$scratch/debs/$package" && apt-get -q -o APT::Sandbox::User= "$@" download "$package" >&2)
  debs=("$scratch/debs/$package/"*.deb)
  dpkg -x "${debs[0]}" "$scratch/root"
}

# Backports come from a package list of our own, so that nothing in the system's apt changes.
unpack_mesa() {
  local mirror state=$scratch/apt
  mirror=$(apt-cache policy | awk '$3 == "bookworm/main" { print $2; exit }')
  [[ $mirror ]] || fail "apt has no package list of Debian 12 (bookworm) main"
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-backports main" \
    >"$state/sources.list"
  local options=(-o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache")
  apt-get -q -o APT::Sandbox::User= "${options[@]}" update >&2
  rm -rf "${scratch:?}/root"
  unpack mesa-vulkan-drivers "${options[@]}" -t bookworm-backports

  take_driver "$lavapipe" libvulkan_lvp.so
  take_driver "$radv" libvulkan_radeon.so
}

take_driver() { # FOLDER LIBRARY
  local library
  library=$(find "$scratch/root" -name "$2")
  [[ $library ]] || fail "the backported mesa-vulkan-drivers holds no $2"
  check_library "$library"
  mkdir -p "$1"
  mv "$library" "$1/"
  write_manifest "$1/${1##*/}.json" "$1/$2" 1.4.305
}

unpack_swiftshader() {
  rm -rf "${scratch:?}/root"
  unpack chromium-common
  local library
  library=$(find "$scratch/root" -name libvk_swiftshader.so)
  [[ $library ]] || fail "the package chromium-common holds no libvk_swiftshader.so"
  check_library "$library"
  mkdir -p "$swiftshader"
  mv "$library" "$swiftshader/"
  write_manifest "$swiftshader/swiftshader.json" "$swiftshader/libvk_swiftshader.so" 1.3.0
}

unpack_extra() {
  [[ -e $lavapipe/lavapipe-25.json && -e $radv/radv-25.json && -e $swiftshader/swiftshader.json ]] && return
  local codename
  # shellcheck disable=SC1091
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [[ $codename == bookworm ]] || fail "--extra takes its drivers from Debian 12 (bookworm); this is '$codename'"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  apt_get update
  if [[ ! -e $lavapipe/lavapipe-25.json || ! -e $radv/radv-25.json ]]; then
    say "unpacking lavapipe 25 and RADV 25 into $lavapipe and $radv"
    unpack_mesa
  fi
  if [[ ! -e $swiftshader/swiftshader.json ]]; then
    say "unpacking SwiftShader into $swiftshader"
    unpack_swiftshader
  fi
}

print_env() {
  local manifest manifests=()
  for manifest in /usr/share/vulkan/icd.d/lvp_icd*.json "$lavapipe/lavapipe-25.json" "$swiftshader/swiftshader.json"; do
    [[ -e $manifest ]] && manifests+=("$manifest")
  done
  ((${#manifests[@]})) || fail "no driver is there: run tools/drivers.sh first"
  (IFS=: && echo "VK_DRIVER_FILES=${manifests[*]}")
}

case ${1:-} in
  --print-env) print_env ;;
  --extra)
    install_packages
    unpack_extra
    ;;
  '') install_packages ;;
  --help) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
