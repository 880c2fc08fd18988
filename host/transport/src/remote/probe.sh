# Tells what an action would find on this node: a line each, a word and its value. Given before the prelude's: run, a random
# name of the look; me, this node's key; nap, whether to leave something running; "$@", programs that have to be there.
exec </dev/null
# Errors of programs may have several lines.
flat() {
  set -f
  set -- $*
  set +f
  say "$*"
}
now=$(date +%s.%N 2>/dev/null)
case $now in
*[!0-9.]* | *. | '') now=$(date +%s 2>/dev/null) ;;
esac
flat clock "$now"
flat user "$(id -un 2>/dev/null || id -u 2>/dev/null || echo "${USER:-?}")"
say "directory $root"
boot=
[ ! -r /proc/sys/kernel/random/boot_id ] || read -r boot </proc/sys/kernel/random/boot_id
[ -z "$boot" ] || flat boot "$boot"
for tool in cat chmod dd ls mkdir mv rm sleep tail tr wc; do
  command -v "$tool" >/dev/null 2>&1 || say "missing $tool"
done
for program; do
  command -v "$program" >/dev/null 2>&1 || flat absent "$program"
done
apart=
if command -v setsid >/dev/null 2>&1; then
  apart=setsid
  say "detaching setsid"
else
  # Asked in this shell, as when an action starts.
  set -m 2>/dev/null
  case $- in
  *m*)
    set +m
    say "detaching job-control"
    ;;
  *) say "detaching no" ;;
  esac
fi
# The room where the directory is, or would be: what df shows before the percentage, and where that is mounted. Nothing
# where there is no disk behind it.
room() {
  left= mount=
  set -f
  set -- $(LC_ALL=C df "$1" "$at" 2>/dev/null | tail -n 1)
  set +f
  all= used= free=
  while [ $# -gt 0 ]; do
    case $1 in
    *%)
      shift
      mount=$*
      [ "$all" = 0 ] || left=$free
      return
      ;;
    esac
    all=$used used=$free free=$1
    shift
  done
}
at=$root
while [ ! -d "$at" ]; do
  at=${at%/*}
  [ -n "$at" ] || at=/
done
room -Pi
[ -z "$left" ] || say "files $left"
room -Pk
[ -z "$left" ] || say "kib $left"
kind=
if [ -n "$mount" ] && [ -r /proc/mounts ]; then
  while read -r device point type rest; do
    [ "$point" != "$mount" ] || kind=$type
  done </proc/mounts
fi
[ -n "$kind" ] || kind=$(stat -f -c %T "$at" 2>/dev/null)
[ -z "$kind" ] || flat system "$kind"
# Another directory's files must not be read for those of an action: a size by ls, a part by dd, as output is followed.
proved() {
  set -- "$1" $(LC_ALL=C ls -ln "$1" 2>/dev/null)
  [ "${6:-}" = 4096 ] || say "missing ls -ln"
  [ "$(dd if="$1" bs=4095 skip=1 count=1 2>/dev/null)" = x ] || say "missing dd"
}
places=$root/probes
mine=$places/$me,$$
if said=$({ mkdir -p "$root/actions" && mkdir -p "$places" && printf '%4096s' x >"$mine"; } 2>&1); then
  proved "$mine"
  said=$({ printf '%s %s\n' "$run" "${boot:--}" >"$mine" && mv "$mine" "$places/$me"; } 2>&1) || flat unwritable "$said"
  # A mark is written before others are looked for: of two nodes with one directory one at least sees the other.
  for other in "$places"/*; do
    case ${other##*/} in
    "$me" | *,*) continue ;;
    esac
    theirs= machine=
    { read -r theirs machine <"$other"; } 2>/dev/null
    [ "$theirs" != "$run" ] || flat sharing "${other##*/}" "$machine"
  done
else
  rm -f "$mine" 2>/dev/null
  # BusyBox fails without a word.
  flat unwritable "${said:-its files can not be written; is the disk full?}"
fi
for pid in "$root"/actions/*/*/pid; do
  dir=${pid%/pid}
  [ -f "$pid" ] && [ ! -f "$dir/status" ] && supervised || continue
  job=${dir%/*}
  flat live "${job##*/}" "${dir##*/}"
done
dir=$places/$me,nap
if [ -n "$nap" ] && rm -rf "$dir" && mkdir "$dir" 2>/dev/null; then
  # As a supervisor starts; it ends when its directory goes, or after two minutes.
  said=$(
    [ -n "$apart" ] || set -m
    $apart sh -c '
      trap "" HUP
      began=-
      if [ -r "/proc/$$/stat" ]; then
        read -r line <"/proc/$$/stat"
        line=${line##*) }
        set -- "$1" $line
        began=${21:--}
      fi
      printf "%s %s\n" "$$" "$began" >"$1/pid"
      exec >/dev/null 2>&1 </dev/null
      slept=0
      while [ "$slept" -lt 120 ] && [ -d "$1" ]; do
        sleep 1
        slept=$((slept + 1))
      done
      rm -rf "$1"
    ' sh "$dir" 2>&1 &
  )
fi
say "looked"
