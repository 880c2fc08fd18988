# Lays down the private files of a query in a directory of its own, readable by the login alone, and removes them however it
# ends. Given before it: mark, root. The lifeline is standard input: the bytes come first on it. Memory is preferred to a
# disk: what a killed shell leaves behind goes with the next start of the machine.
mask=$(umask)
umask 077
unable() {
  printf '%s\n' "$mark $1" >&2
  exit 1
}
private=/dev/shm/$mark
if ! mkdir "$private" 2>/dev/null; then
  [ -n "$root" ] || root=${QUORATE_REMOTE_DIR:-}
  [ -n "$root" ] || [ -n "${HOME:-}" ] || unable "HOME is not set on the node"
  [ -n "$root" ] || root=$HOME/.quorate
  case $root in
  /*) ;;
  *) root=$HOME/$root ;;
  esac
  private=$root/private/$mark
  said=$(mkdir -p "$root/private" 2>&1 && mkdir "$private" 2>&1) || unable "$private: $said"
fi
program=
tidy() {
  [ -z "$program" ] || kill -TERM "-$program" 2>/dev/null || kill -TERM "$program" 2>/dev/null
  rm -rf "$private"
}
trap tidy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
# Where nobody listens any more, dash dies of telling how the program ended, and tidies nothing.
trap 'exit 141' PIPE
trap 'exit 143' TERM
lay() {
  said=$(dd bs=1 count="$2" of="$private/$1" 2>&1) && [ "$(($(wc -c <"$private/$1")))" -eq "$2" ] || unable "$private: $said"
}
