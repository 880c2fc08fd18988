# Tells whether what the probe left running is still there, and ends it. Given before the prelude's: me. A moment passes
# first: what ends the processes of a session that is over needs one.
exec </dev/null
dir=$root/probes/$me,nap
sleep 1
if [ ! -f "$dir/pid" ]; then
  say "outlives unknown"
elif supervised; then
  say "outlives yes"
else
  say "outlives no"
fi
rm -rf "$dir"
say "looked"
