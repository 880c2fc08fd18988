# Common to all scripts that go in on a channel. Given before it: mark, root, key.
# POSIX sh only: dash, BusyBox ash and bash run this.
umask 077
printf '%s\n' "$mark"
say() {
  printf '%s\n' "$*" || exit 1
}
fault() {
  say "fault $(printf %s "$*" | tr '\n' ' ')"
  exit 0
}
[ -n "$root" ] || root=${QUORATE_REMOTE_DIR:-}
[ -n "$root" ] || [ -n "${HOME:-}" ] || fault "HOME is not set on the node and no directory for actions was given"
[ -n "$root" ] || root=$HOME/.quorate
case $root in
/*) ;;
*) root=$HOME/$root ;;
esac
dir=$root/actions/$key
# Start time of process $1 in clock ticks since boot, and its state letter, as /proc tells them (fields
# 22 and 3 of stat; the name before them may hold blanks and parentheses). "-" where it does not.
inspect() {
  began=- state=-
  [ -r "/proc/$1/stat" ] || return 0
  line=
  { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null
  line=${line##*) }
  set -- $line
  state=${1:--} began=${20:--}
}
# Whether the supervisor that wrote pid still runs. A process that has its number but began at
# another time is somebody else's.
supervised() {
  [ -f "$dir/pid" ] || return 1
  owner= owned=
  { read -r owner owned <"$dir/pid"; } 2>/dev/null
  [ -n "$owner" ] || return 1
  if [ "$owned" = - ]; then
    kill -0 "$owner" 2>/dev/null
    return
  fi
  inspect "$owner"
  [ "$began" = "$owned" ] && [ "$state" != Z ]
}
