# Attaches to an action that is known to have been claimed.
exec 3<&0 </dev/null
if [ ! -d "$dir/run" ]; then
  say "lost $dir was there and is gone"
  exit 0
fi
say claimed
