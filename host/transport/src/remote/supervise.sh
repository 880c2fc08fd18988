# The end of every bundle. Before it: launch (becomes the program), stage (writes its files), and limit,
# limit_whole, limit_ms, grace. `sh BUNDLE DIR MASK APART` claims the action and sees it through. Every process
# that is started here counts where an action is short. It is a function, so that all of it is read before its
# file is emptied.
supervise() {
  dir=$1 mask=$2 apart=$3
  trap '' HUP
  drop() {
    rm -rf "$0" "$dir/status.$$" "$dir/pid.$$" "$dir/stdin.$$" "$dir/script.$$" "$dir/private.$$"
  }
  began=-
  if [ -r "/proc/$$/stat" ]; then
    read -r line <"/proc/$$/stat"
    line=${line##*) }
    set -- $line
    began=${20:--}
  fi
  # Everything is written before the claim, the status at its full width: a disk that fills up later
  # can't keep the outcome from being recorded.
  said=$({
    : >>"$dir/out" && : >>"$dir/err" &&
      printf '%-63s\n' running >"$dir/status.$$" &&
      printf '%s %s\n' "$$" "$began" >"$dir/pid.$$" &&
      stage
  } 2>&1) || {
    drop
    # BusyBox fails without a word.
    echo "fault ${said:-its files can not be written; is the disk full?}"
    exit
  }
  if ! said=$(mkdir "$dir/run" 2>&1); then
    drop
    if [ -d "$dir/run" ]; then
      echo attached
    else
      echo "fault $said"
    fi
    exit
  fi
  # The staged one is for a disk that has filled up meanwhile.
  { printf '%s %s\n' "$$" "$began" >"$dir/pid"; } 2>/dev/null || mv "$dir/pid.$$" "$dir/pid"
  echo claimed
  exec >/dev/null 2>&1
  [ -n "$apart" ] || set -m
  input=$dir/stdin.$$
  [ -f "$input" ] || input=/dev/null
  exec 3<"$input"
  late=
  trap late=1 USR1
  (
    trap - HUP
    umask "$mask"
    launch "$dir/script.$$" "$dir/private.$$" "$apart"
    exit 126
  ) <&3 3<&- >>"$dir/out" 2>>"$dir/err" &
  program=$!
  exec 3<&-
  # The program's process has all that it needs; arguments and variables must not stay on the disk. Emptying takes no process;
  # the name goes with all others when the action is forgotten. Not with `:`, which ends the shell where it can't be opened.
  true >"$0"
  [ "$input" = /dev/null ] || rm -f "$input"
  hit() {
    kill "-$1" "-$program" || kill "-$1" "$program"
  }
  guard=
  if [ -n "$limit" ]; then
    # The guard signals the supervisor, and only if that is still the process it was.
    $apart sh -c '
      sleep "$1" || sleep "$2"
      began=-
      if [ "$4" != - ]; then
        read -r line <"/proc/$3/stat"
        line=${line##*) }
        set -- "$1" "$2" "$3" "$4" $line
        began=${24}
      fi
      [ "$began" != "$4" ] || kill -USR1 "$3"
    ' sh "$limit" "$limit_whole" "$$" "$began" &
    guard=$!
  fi
  wait "$program"
  code=$?
  if [ -n "$late" ]; then
    hit TERM
    waited=0
    # The short sleeps also let the shell reap the program, whose group then ceases to exist.
    while [ "$waited" -lt "$grace" ] && hit 0; do
      if sleep 0.1; then
        waited=$((waited + 1))
      else
        sleep 1
        waited=$((waited + 10))
      fi
    done
    hit KILL
    result="timeout $limit_ms"
  else
    [ -z "$guard" ] || kill -KILL "-$guard" || kill -KILL "$guard"
    result="exit $code"
  fi
  # Before the end is told: whoever reads that it is over may rely on it.
  [ ! -d "$dir/private.$$" ] || rm -rf "$dir/private.$$"
  printf '%-63s\n' "$result" 1<>"$dir/status.$$"
  mv "$dir/status.$$" "$dir/status"
  [ ! -f "$dir/script.$$" ] || rm -f "$dir/script.$$"
  exit
}
supervise "$@"
