# Stages the bundle that follows on standard input and starts its supervisor, unless the action has
# been claimed before. Given beside the prelude's: bytes, the bundle's size, and mask, the account's.
# Processes are what a short action costs: a directory that is made here has the right mode at once.
there=
[ ! -d "$dir" ] || there=1
said=$(mkdir -p "$dir" 2>&1) || fault "$dir: $said"
[ -z "$there" ] || said=$(chmod 700 "$dir" 2>&1) || fault "$dir: $said"
if [ ! -d "$dir/run" ]; then
  bundle=$dir/bundle.$$
  said=$(cat 2>&1 >"$bundle") || {
    rm -f "$bundle"
    fault "$dir: $said"
  }
  # A connection that breaks looks like the end of the input: a part of a bundle must never run.
  got=$(($(wc -c <"$bundle")))
  if [ "$got" -ne "$bytes" ]; then
    rm -f "$bundle"
    say "short"
    exit 0
  fi
  exec </dev/null
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
    $apart sh "$bundle" "$dir" "$mask" "$apart" 2>&1 &
  )
  case $said in
  claimed | attached) ;;
  fault*) fault "$dir: ${said#fault }" ;;
  *) fault "the action's supervisor did not start: $said" ;;
  esac
fi
exec </dev/null
say claimed
