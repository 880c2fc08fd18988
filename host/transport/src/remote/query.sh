# Runs "$@", set before this, without input. The channel's own standard input is a lifeline: when it
# ends, because the caller gave up or the connection broke, the program is ended too.
exec 3<&0 </dev/null
apart=
command -v setsid >/dev/null 2>&1 && apart=setsid
$apart "$@" 3<&- &
program=$!
(
  IFS= read -r line <&3
  kill -TERM "-$program" || kill -TERM "$program"
  sleep 5
  kill -KILL "-$program" || kill -KILL "$program"
) >/dev/null 2>&1 &
lifeline=$!
exec 3<&-
wait "$program"
code=$?
kill -KILL "$lifeline" 2>/dev/null
program=
exit "$code"
