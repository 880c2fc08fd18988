//! The programs on a node's PATH: POSIX shell scripts that need nothing beyond coreutils.
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::requests::{calls_folder, quoted, request_fifo};

/// Asks the simulator and does as it says. Both ends of the answer's FIFO are opened before the call is made, so that neither side can
/// wait for the other to open it; then only the simulator keeps the writing end.
const CALL: &str = r#"
call=$calls/$$
if [ $# -gt 0 ]; then printf '%s\000' "$@"; fi >"$call.argv" || exit 70
mkfifo "$call.reply" 2>/dev/null || { rm -f "$call.reply" && mkfifo "$call.reply"; } || exit 70
exec 3<>"$call.reply" 4<"$call.reply"
printf '%s\n' "$tool $node $$" >"$requests" || exit 70
IFS= read -r code <&4 || exit 70
exec 3>&-
cat <&4
if [ -s "$call.err" ]; then cat "$call.err" >&2; rm -f "$call.err"; fi
exit "$code"
"#;

/// Runs the command as it is; who may do what is not simulated.
const SUDO: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
    -C | -D | -g | -h | -p | -R | -r | -T | -t | -U | -u) shift; [ $# -eq 0 ] || shift ;;
    --) shift; break ;;
    -*) shift ;;
    [A-Za-z_]*=*) export "$1"; shift ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || exit 0
exec "$@"
"#;

/// The folder of a node's programs.
pub(crate) fn bin(root: &Path, node: usize) -> PathBuf {
    root.join("nodes").join(node.to_string()).join("bin")
}

/// A node's home, where its commands start.
pub(crate) fn home(root: &Path, node: usize) -> PathBuf {
    root.join("nodes").join(node.to_string()).join("home")
}

/// Lays out the folders and programs of one node.
pub(crate) fn install(root: &Path, node: usize, cqlsh: bool) -> std::io::Result<()> {
    let bin = bin(root, node);
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(home(root, node))?;
    for tool in ["nodetool", "service", "systemctl"] {
        install_tool(root, node, tool)?;
    }
    if cqlsh {
        install_tool(root, node, "cqlsh")?;
    }
    write_program(&bin.join("sudo"), SUDO.as_bytes())
}

/// (Re)places one program that asks the simulator.
pub(crate) fn install_tool(root: &Path, node: usize, tool: &str) -> std::io::Result<()> {
    let mut text = b"#!/bin/sh\n".to_vec();
    for (name, value) in
        [("calls", quoted(&calls_folder(root))), ("requests", quoted(&request_fifo(root)))]
    {
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        text.extend(value);
        text.push(b'\n');
    }
    text.extend(format!("tool={tool}\nnode={node}").bytes());
    text.extend_from_slice(CALL.as_bytes());
    write_program(&bin(root, node).join(tool), &text)
}

fn write_program(path: &Path, text: &[u8]) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o755)
        .open(path)?
        .write_all(text)
}
