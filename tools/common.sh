# Sourced by the scripts beside it: messages, and apt as root.

say() { echo "${0##*/}: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

can_be_root() { ((EUID == 0)) || sudo -n true 2>/dev/null; }

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif can_be_root; then
    sudo -n "$@"
  else
    fail "this needs root or passwordless sudo: $*"
  fi
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >&2; }
