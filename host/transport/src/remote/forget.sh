# Removes what an ended action left, but for the claim: an old connection's wrapper must not run it again.
exec </dev/null
if [ -d "$dir" ]; then
  if [ ! -f "$dir/status" ] && supervised; then
    fault "the action is still running in $dir"
  fi
  set --
  for file in "$dir"/* "$dir"/.[!.]*; do
    [ "$file" = "$dir/run" ] || set -- "$@" "$file"
  done
  said=$(rm -rf "$@" 2>&1) || fault "$said"
fi
say forgotten
