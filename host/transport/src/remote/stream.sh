# Sends what the action prints from the byte offsets given (out, err) until it has ended. ls -ln is the
# one way to a size that POSIX has and that doesn't read the file. Standard input is at 3.
unset TIME_STYLE BLOCK_SIZE LS_BLOCK_SIZE BLOCKSIZE
LC_ALL=C
export LC_ALL
cd "$dir" || fault "$dir can't be entered"
# Frames of file $1 from offset $2 to $3: `NAME OFFSET LENGTH`, the bytes, an end of line. Whole blocks in
# one dd where offset and length allow it: exact, and nothing before the offset is read.
send() {
  at=$2
  while [ "$at" -lt "$3" ]; do
    length=$(($3 - at))
    block=4096
    if [ $((at % block)) -eq 0 ] && [ "$length" -ge "$block" ]; then
      count=$((length / block))
      [ "$count" -le 64 ] || count=64
      length=$((count * block))
    else
      upto=$((block - at % block))
      [ "$length" -le "$upto" ] || length=$upto
      block=1 count=$length
    fi
    say "$1 $at $length"
    dd if="$1" bs="$block" skip=$((at / block)) count="$count" 2>/dev/null
    say
    at=$((at + length))
  done
}
polls=0 quiet=0
while :; do
  # Looked for before the sizes: what was printed before the end is in them.
  ended=
  [ -f status ] && ended=1
  if [ "$out$err" = 00 ] && [ -f out ] && [ -f err ] && [ ! -s out ] && [ ! -s err ]; then
    # Nothing so far: no process is needed to see that.
    new_out=0 new_err=0
  else
    set -- $(ls -ln err out 2>/dev/null)
    new_err=${5:-}
    while [ $# -gt 0 ] && [ "$1" != err ]; do shift; done
    new_out=${6:-}
  fi
  if [ -z "$new_err" ] || [ -z "$new_out" ]; then
    say "lost its files are gone from $dir"
    exit 0
  fi
  more=
  if [ -z "$ended" ]; then
    # In rounds, so that neither stream waits for the whole of the other.
    [ $((new_out - out)) -le 4194304 ] || { new_out=$((out + 4194304)) more=1; }
    [ $((new_err - err)) -le 4194304 ] || { new_err=$((err + 4194304)) more=1; }
  fi
  quiet=$((quiet + 1)) polls=$((polls + 1))
  if [ "$new_out" -gt "$out" ]; then
    send out "$out" "$new_out"
    out=$new_out quiet=0
  fi
  if [ "$new_err" -gt "$err" ]; then
    send err "$err" "$new_err"
    err=$new_err quiet=0
  fi
  if [ -n "$ended" ]; then
    read -r line <status
    set -- $line
    say "status $1 $2"
    break
  fi
  [ -z "$more" ] || continue
  # Each look costs the node processes: many short actions begin with few looks, long ones end up with one a second.
  if [ "$polls" -le 2 ]; then
    pause=0.03
  elif [ "$quiet" -le 10 ]; then
    pause=0.1
  elif [ "$quiet" -le 20 ]; then
    pause=0.3
  else
    pause=1
    # Writing is how this loop learns that nobody listens any more.
    [ $((quiet % 5)) -ne 0 ] || say beat
    if ! supervised && [ ! -f status ] && { [ -s pid ] || [ "$quiet" -gt 35 ]; }; then
      say "lost its supervisor is gone (killed, or the node was restarted) and left no status"
      exit 0
    fi
  fi
  sleep "$pause" 2>/dev/null || sleep 1
done
# The end is told, and whoever listens may say on the same channel that it is written down.
IFS= read -r word <&3 && [ "$word" = forget ] || exit 0
