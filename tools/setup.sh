#!/bin/bash
# Makes .venv and installs this checkout, editable, with its dependencies: tools/setup.sh EXTRAS, e.g. examples,test,dev
#
# Packages come from pip's index. What was downloaded is kept (root: /var/cache/krnlpy/wheels, else below the user's
# cache), so that a later set-up on the same machine, in another checkout or for another home, needs no network. Failing
# both, the packages of $PYTHON itself are used if it has all of them.
#
# Where no Vulkan loader or driver is found, and with root or passwordless sudo, they are installed by apt.
set -euo pipefail
source "$(dirname "$0")/common.sh"
cd "$(dirname "$0")/.."

extras=${1:?usage: tools/setup.sh EXTRAS}
shared_wheels=/var/cache/krnlpy/wheels
if ((EUID == 0)); then wheels=$shared_wheels; else wheels=${XDG_CACHE_HOME:-$HOME/.cache}/krnlpy/wheels; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed and ${PYTHON:-python3} is not; name one with make PYTHON=/path/to/python ..."
}

# Debian and Ubuntu leave ensurepip out of their Python: it is in python3.X-venv.
make_environment() {
  if .venv/bin/python -m pip --version >/dev/null 2>&1; then return; fi
  local version
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null && can_be_root && command -v apt-get >/dev/null; then
    say "installing python$version-venv"
    { apt_get update && apt_get install -y --no-install-recommends "python$version-venv"; } >"$scratch/log" 2>&1 ||
      tail -n 3 "$scratch/log" >&2
  fi
  "$python" -m venv --clear .venv >"$scratch/log" 2>&1 && return
  # Without ensurepip, a pip outside may still put one inside.
  "$python" -m venv --clear --without-pip .venv >>"$scratch/log" 2>&1 &&
    "$python" -m pip -q --python .venv/bin/python install pip >>"$scratch/log" 2>&1 && return
  rm -rf .venv
  tail -n 3 "$scratch/log" >&2
  fail "$python cannot make a virtual environment; install python$version-venv, or name another one with make PYTHON=..."
}

# Wheels reach the folder by a rename, so that an interrupted run leaves no broken one there.
fetch_wheels() {
  local requirements
  mapfile -t requirements < <(.venv/bin/python tools/requirements.py "$extras")
  say "fetching packages; they are kept in $wheels"
  mkdir -p "$wheels"
  local fetched
  fetched=$(mktemp -d "$wheels/.fetch-XXXXXX")
  if .venv/bin/python -m pip wheel -q --retries 1 --timeout 30 --wheel-dir "$fetched" --find-links "$wheels" \
    hatchling editables "${requirements[@]}" >"$scratch/fetch" 2>&1; then
    mv "$fetched"/*.whl "$wheels/"
  else
    say "that failed; using the packages that are there"
  fi
  rm -rf "$fetched"
}

install_from_wheels() {
  .venv/bin/python -m pip install -q --no-index --find-links "$wheels" --find-links "$shared_wheels" -e ".[$extras]" \
    >"$scratch/install" 2>&1
}

# The last resort: $python has every dependency, only not in an environment of ours.
borrow_packages() {
  local site
  site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  "$python" - "$PWD" >"$site/krnlpy.pth" <<'PYTHON'
import site, sys
print(sys.argv[1])
for folder in site.getsitepackages():
    print(f"import site; site.addsitedir({folder!r})")
PYTHON
  local unmet
  unmet=$(.venv/bin/python tools/requirements.py --unmet "$extras")
  if [[ ! $unmet ]]; then
    say "using the packages of $python"
    return
  fi
  rm "$site/krnlpy.pth"
  grep -E '^ERROR' "$scratch/fetch" "$scratch/install" -h | head -n 4 >&2 || true
  fail "these packages are missing and could not be had: ${unmet//$'\n'/, }.
  Any one of these helps: a network; a folder of wheels, named by PIP_FIND_LINKS; a Python that has them (make PYTHON=...);
  or, on a machine like this one with a network, this same command, and its $wheels copied here."
}

vulkan_is_there() {
  [[ -n ${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-} ]] && return
  PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep 'libvulkan\.so\.1' >/dev/null || return 1  # not -q: ldconfig must not meet a closed pipe
  local folder
  for folder in {/usr,/usr/local}/share/vulkan/icd.d /etc/vulkan/icd.d "$HOME/.local/share/vulkan/icd.d"; do
    compgen -G "$folder/*.json" >/dev/null && return
  done
  return 1
}

install_vulkan() {
  if vulkan_is_there; then return; fi
  if can_be_root && command -v apt-get >/dev/null; then
    say "installing a Vulkan loader and Mesa's drivers"
    tools/drivers.sh >"$scratch/log" 2>&1 || true
    if vulkan_is_there; then return; fi
    say "no Vulkan driver could be installed: going on with the host CPU (try again with: make drivers)"
  else
    say "no Vulkan loader or driver, and no root or apt to install them: going on with the host CPU (as root: make drivers)"
  fi
}

python=$(find_python)
make_environment
fetch_wheels
install_from_wheels || borrow_packages
install_vulkan
