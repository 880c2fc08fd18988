//! `nodetool ring`.
//!
//! ```text
//! Datacenter: dc1
//! ==========
//! Address    Rack   Status State   Load        Owns  Token
//!                                                    7371852887512410111
//! 127.0.0.2  rack2  Up     Normal  296.72 KiB  ?     -8299202260738906374
//! …
//!
//!   Warning: "nodetool ring" is used to output all the tokens of a node.
//!   To view status related info of a node use "nodetool status" instead.
//! ```
//!
//! A rack may hold spaces, and one that is longer than its column touches the next, so that a row is read
//! from its end, where no cell can. Each block's first line repeats its greatest token: a block that
//! doesn't end with it was cut.
use super::{
    ParseError, address,
    lines::{Line, Lines},
};
use crate::{Address, Mode, Partitioner, Token};
use alloc::{string::String, vec::Vec};

/// One token and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingRow {
    /// The owner's broadcast address; a port is dropped.
    pub address: Address,
    /// What the owner does in the ring: the tokens of a joining node aren't its own yet.
    pub mode: Mode,
    /// The token.
    pub token: Token,
}

/// The lines after the last block.
const REMARKS: [&str; 3] = ["Warning: ", "To view status related info ", "Note: "];

/// Reads the output of `nodetool ring` of a cluster with this partitioner.
///
/// # Errors
/// On anything else: columns that aren't known, a token that isn't one of the partitioner's, a block that
/// ends before its greatest token, names in place of addresses.
pub fn ring(partitioner: Partitioner, text: &str) -> Result<Vec<RingRow>, ParseError> {
    // Where it has nothing to remark, the output ends with two spaces.
    let mut lines = Lines::new("nodetool ring", text.trim_end_matches(' '));
    let mut rows = Vec::new();
    lines.skip_empty()?;
    loop {
        block(partitioner, &mut lines, &mut rows)?;
        lines.skip_empty()?;
        match lines.next()? {
            None => return Ok(rows),
            Some(line) if line.text.starts_with("Datacenter: ") => lines.put_back(line),
            Some(line) => {
                lines.put_back(line);
                break;
            }
        }
    }
    while let Some(line) = lines.next()? {
        let remark = line.text.trim();
        if !remark.is_empty() && !REMARKS.iter().any(|known| remark.starts_with(known)) {
            return Err(lines.unexpected(line, "the end of the output"));
        }
    }
    Ok(rows)
}

/// Reads one data center's block with the empty line after it.
fn block(
    partitioner: Partitioner,
    lines: &mut Lines<'_>,
    rows: &mut Vec<RingRow>,
) -> Result<(), ParseError> {
    let (line, name) = lines.field("Datacenter: ")?;
    if name.is_empty() {
        return Err(lines.unexpected(line, "a data center's name"));
    }
    let line = lines.require("a line of `=`")?;
    if line.text.is_empty() || !line.text.bytes().all(|b| b == b'=') {
        return Err(lines.unexpected(line, "a line of `=`"));
    }
    let line = lines.require("the header of the columns")?;
    let names = ["Address", "Rack", "Status", "State", "Load", "Owns", "Token"];
    let mut words = line.text.split_whitespace().filter(|word| *word != "(effective)");
    if !names.iter().all(|name| words.next() == Some(name)) || words.next().is_some() {
        return Err(
            lines.unexpected(line, "the columns `Address Rack Status State Load Owns Token`")
        );
    }
    let line = lines.require("the greatest token")?;
    let last = partitioner
        .parse_token(line.text.trim())
        .ok_or_else(|| lines.unexpected(line, "the greatest token of the data center"))?;
    let first = rows.len();
    loop {
        let line = lines.require("an empty line after the last row (is the output cut?)")?;
        if line.text.trim().is_empty() {
            let whole = rows.len() > first && rows.last().is_some_and(|row| row.token == last);
            return match whole {
                true => Ok(()),
                false => Err(lines.unexpected(line, "the row of the greatest token")),
            };
        }
        let row = row(partitioner, lines, line)?;
        if rows.len() > first && rows.last().is_some_and(|before| before.token >= row.token) {
            return Err(lines.unexpected(line, "tokens in ascending order"));
        }
        rows.push(row);
    }
}

fn row(partitioner: Partitioner, lines: &Lines<'_>, line: Line<'_>) -> Result<RingRow, ParseError> {
    cells(partitioner, line.text).map_err(|what| {
        lines.unexpected(line, alloc::format!("a token's row of 7 columns with {what}"))
    })
}

fn cells(partitioner: Partitioner, text: &str) -> Result<RingRow, String> {
    let text = text.trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let address = address::address(first)?;
    let (rest, token) = last_word(rest);
    let token = partitioner.parse_token(token).ok_or("a token of the cluster's partitioner")?;
    let (rest, owns) = last_word(rest);
    if owns != "?" && !owns.ends_with(['%', '٪']) && !owns.starts_with("NaN") {
        return Err("a share, as `26.7%` or `?`".into());
    }
    let rest = match last_word(rest) {
        (rest, "?") => rest,
        (rest, unit) if unit == "bytes" || unit.ends_with('B') => last_word(rest).0,
        _ => return Err("a load, as `104.11 KiB` or `?`".into()),
    };
    let (rest, mode) = last_word(rest);
    let mode = match mode {
        "Normal" => Mode::Normal,
        "Leaving" => Mode::Leaving,
        "Joining" => Mode::Joining,
        "Moving" => Mode::Moving,
        _ => return Err("a state of `Normal`, `Leaving`, `Joining` or `Moving`".into()),
    };
    // The rack may touch the status, and comes from `nodetool status` anyway.
    let rest = rest.trim_end();
    if !["Up", "Down", "?"].iter().any(|status| rest.ends_with(status)) {
        return Err("a status of `Up`, `Down` or `?`".into());
    }
    Ok(RingRow { address, mode, token })
}

/// The last word and what comes before it.
fn last_word(text: &str) -> (&str, &str) {
    let text = text.trim_end();
    text.rsplit_once(char::is_whitespace).unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    const HEADER: &str = "Address         Rack        Status State   Load            Owns                Token                                       ";

    fn one(partitioner: Partitioner, last: &str, rows: &str) -> Result<Vec<RingRow>, ParseError> {
        ring(
            partitioner,
            &format!("\nDatacenter: dc1\n==========\n{HEADER}\n   {last}   \n{rows}\n"),
        )
    }

    #[test]
    fn racks_may_hold_anything_and_touch_the_next_column() {
        let rows = one(
            Partitioner::Murmur3,
            "7",
            "127.0.0.1  rack 1 - Up  Down   Joining ?  ?  -5  \n\
             ::1  a-very-long-rackUp     Normal  70,21 KiB  33,3%  7\n",
        )
        .unwrap();
        assert_eq!(rows[0].mode, Mode::Joining);
        assert_eq!(rows[1].address.to_string(), "::1");
        assert_eq!(rows[1].token, Token::Number(7));
    }

    #[test]
    fn tokens_of_other_partitioners_are_read() {
        let row = "10.0.0.1  r  Up  Normal  1 bytes  ?  0aff\n";
        assert!(one(Partitioner::ByteOrdered, "0aff", row).is_ok());
        assert!(one(Partitioner::Murmur3, "0aff", row).is_err());
        let row = "10.0.0.1:7000  r  Up  Leaving  1 bytes  100.00%  85070591730234615865843651857942052864\n";
        let rows = one(Partitioner::Random, "85070591730234615865843651857942052864", row).unwrap();
        assert_eq!(rows[0].mode, Mode::Leaving);
    }

    #[test]
    fn what_was_cut_or_is_not_understood_is_refused() {
        let row = |token: &str| format!("10.0.0.1  r  Up  Normal  1 bytes  ?  {token}\n");
        let refused = |last: &str, rows: &str, part: &str| {
            let error = one(Partitioner::Murmur3, last, rows).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused("7", &row("5"), "the row of the greatest token");
        refused("7", "", "the row of the greatest token");
        refused("7", &format!("{}{}", row("7"), row("5")), "ascending");
        refused("7", &format!("{}{}", row("7"), row("7")), "ascending");
        refused("7", "node1  r  Up  Normal  1 bytes  ?  7\n", "an IP address");
        refused("7", "10.0.0.1  r  Up  Idle  1 bytes  ?  7\n", "a state of");
        refused("7", "10.0.0.1  r  Off  Normal  1 bytes  ?  7\n", "a status of");
        refused("7", "10.0.0.1  r  Up  Normal  1 apple  ?  7\n", "a load");
        refused("7", "10.0.0.1  r  Up  Normal  1 bytes  half  7\n", "a share");
        refused("7", "10.0.0.1\n", "a token");
        refused("x", &row("7"), "the greatest token");
        let whole = format!("Datacenter: dc1\n==========\n{HEADER}\n 7\n{}", row("7"));
        assert!(ring(Partitioner::Murmur3, &whole).unwrap_err().to_string().contains("cut"));
        let more = format!("{whole}\nsomething\n");
        assert!(ring(Partitioner::Murmur3, &more).unwrap_err().to_string().contains("the end"));
    }
}
