# Stages the bundle and starts its supervisor, unless the action has been claimed before. Given beside the prelude's: mask, the
# account's; text, the bundle, or where that is empty, bytes: the size of the bundle that follows on standard input.
# Processes are what a short action costs: a directory that is made here has the right mode at once.
there=
[ ! -d "$dir" ] || there=1
said=$(mkdir -p "$dir" 2>&1) || fault "$dir: $said"
[ -z "$there" ] || said=$(chmod 700 "$dir" 2>&1) || fault "$dir: $said"
if [ ! -d "$dir/run" ]; then
  bundle=$dir/bundle.$$
  said=$(
    exec 2>&1 >"$bundle" || exit 1
    if [ -n "$text" ]; then printf %s "$text"; else exec cat; fi
  ) || {
    rm -f "$bundle"
    fault "$dir: $said"
  }
  # A connection that breaks looks like the end of the input: a part of a bundle must never run.
  if [ -z "$text" ] && [ "$(($(wc -c <"$bundle")))" -ne "$bytes" ]; then
    rm -f "$bundle"
    say "short"
    exit 0
  fi
  text=
  exec 3<&0 </dev/null
  apart=
  if command -v setsid >/dev/null 2>&1; then
    apart=setsid
  else
    # Asked in this shell: dash pretends to have it in a subshell.
    set -m 2>/dev/null
    case $- in
    *m*) set +m ;;
    *)
      rm -f "$bundle"
      fault "the node has neither setsid (util-linux, BusyBox) nor an sh with job control, so that nothing can outlive the connection"
      ;;
    esac
  fi
  # The supervisor closes its output once the claim is decided: this returns then.
  said=$(
    [ -n "$apart" ] || set -m
    $apart sh "$bundle" "$dir" "$mask" "$apart" 2>&1 3<&- &
  )
  case $said in
  claimed | attached) ;;
  fault*) fault "$dir: ${said#fault }" ;;
  *) fault "the action's supervisor did not start: $said" ;;
  esac
else
  exec 3<&0 </dev/null
fi
say claimed
