# Removes what an ended action left, but for the claim: an old connection's wrapper must not run it again.
exec </dev/null
if [ -d "$dir" ]; then
  if [ ! -f "$dir/status" ] && supervised; then
    fault "the action is still running in $dir"
  fi
  said=$(
    for file in "$dir"/* "$dir"/.[!.]*; do
      [ "$file" = "$dir/run" ] || rm -rf "$file" || exit 1
    done 2>&1
  ) || fault "$said"
fi
say forgotten
