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
//! from its end, where no cell can. Each block's first line repeats its greatest token, unless it has but
//! one: a block that doesn't end with it was cut.
//!
//! The whole ends with an empty line and two spaces, behind which the note stands where there is one. Other
//! than everything else that nodetool prints, this has no line end: only the two spaces, or a remark,
//! show that no data center is lacking.
use super::{
    ParseError, address,
    lines::{Line, Lines},
};
use crate::{Address, DataCenter, Mode, Partitioner, Token};
use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

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

/// Reads the output of `nodetool ring` of a cluster with this partitioner: all tokens, ascending within
/// each data center.
///
/// # Errors
/// On anything else: columns that aren't known, a token that isn't one of the partitioner's or comes twice,
/// a block that ends before its greatest token, an output without its end, names in place of addresses.
pub fn ring(partitioner: Partitioner, text: &str) -> Result<Vec<RingRow>, ParseError> {
    let marked = text.ends_with("\n  ");
    let mut lines =
        Lines::new("nodetool ring", if marked { text.trim_end_matches(' ') } else { text });
    let (mut rows, mut seen) = (Vec::new(), BTreeSet::new());
    lines.skip_empty()?;
    let mut next = Some(lines.require("`Datacenter: …`")?);
    while let Some(line) = next.filter(|line| rows.is_empty() || line.text.starts_with(DATA_CENTER))
    {
        lines.put_back(line);
        block(partitioner, &mut lines, &mut seen, &mut rows)?;
        lines.skip_empty()?;
        next = lines.next()?;
    }
    let mut ended = marked;
    while let Some(line) = next {
        let remark = line.text.trim();
        let is_known = REMARKS.iter().any(|known| remark.starts_with(known));
        if !remark.is_empty() && !is_known {
            return Err(lines.unexpected(line, "the end of the output"));
        }
        ended |= is_known;
        next = lines.next()?;
    }
    if !ended {
        return Err(lines.at_end("the two spaces that end the output (is it cut?)"));
    }
    match twice(&rows) {
        Some(token) => Err(lines.at_end(format!("every token once (`{token}` comes twice)"))),
        None => Ok(rows),
    }
}

/// A token that comes in two blocks.
fn twice(rows: &[RingRow]) -> Option<&Token> {
    let mut tokens: Vec<&Token> = rows.iter().map(|row| &row.token).collect();
    // The blocks are sorted already, which this sort makes use of.
    tokens.sort();
    tokens.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

const DATA_CENTER: &str = "Datacenter: ";

/// Reads one data center's block with the empty line after it.
fn block(
    partitioner: Partitioner,
    lines: &mut Lines<'_>,
    seen: &mut BTreeSet<DataCenter>,
    rows: &mut Vec<RingRow>,
) -> Result<(), ParseError> {
    let (line, name) = lines.field(DATA_CENTER)?;
    if name.is_empty() || !seen.insert(DataCenter::new(name)) {
        return Err(lines.unexpected(line, "a data center that no earlier block has"));
    }
    let line = lines.require("a line of `=`")?;
    if line.text.is_empty() || !line.text.bytes().all(|b| b == b'=') {
        return Err(lines.unexpected(line, "a line of `=`"));
    }
    let line = lines.require("the header of the columns")?;
    let names = ["Address", "Rack", "Status", "State", "Load", "Owns", "Token"];
    if !line.text.split_whitespace().eq(names) {
        let expected = "the columns `Address Rack Status State Load Owns Token`";
        return Err(lines.unexpected(line, expected));
    }
    let greatest = greatest(partitioner, lines)?;
    let first = rows.len();
    loop {
        let line = lines.require("an empty line after the last row (is the output cut?)")?;
        if line.text.is_empty() {
            let whole = match (&greatest, &rows[first..]) {
                (None, [_]) => true,
                (Some(greatest), [.., last]) => last.token == *greatest,
                _ => false,
            };
            let expected = match &greatest {
                Some(token) => format!("the row of the greatest token, {token}"),
                None => "one row, as no greatest token is named".to_string(),
            };
            return if whole { Ok(()) } else { Err(lines.unexpected(line, expected)) };
        }
        let row = row(partitioner, lines, line)?;
        if rows[first..].last().is_some_and(|before| before.token >= row.token) {
            return Err(lines.unexpected(line, "tokens in ascending order"));
        }
        rows.push(row);
    }
}

/// The line of the greatest token; it is empty where the data center has but one.
fn greatest(partitioner: Partitioner, lines: &mut Lines<'_>) -> Result<Option<Token>, ParseError> {
    let line = lines.require("the greatest token")?;
    if line.text.is_empty() {
        return Ok(None);
    }
    match partitioner.parse_token(line.text.trim()) {
        Some(token) => Ok(Some(token)),
        None => Err(lines.unexpected(line, "the greatest token of the data center")),
    }
}

fn row(partitioner: Partitioner, lines: &Lines<'_>, line: Line<'_>) -> Result<RingRow, ParseError> {
    cells(partitioner, line.text)
        .map_err(|what| lines.unexpected(line, format!("a token's row of 7 columns with {what}")))
}

fn cells(partitioner: Partitioner, text: &str) -> Result<RingRow, String> {
    let text = text.trim_ascii();
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let address = address::address(first)?;
    let (rest, token) = last_word(rest);
    let token = partitioner.parse_token(token).ok_or("a token of the cluster's partitioner")?;
    let (rest, owns) = last_word(rest);
    let share = owns.strip_suffix(['%', '٪']);
    if owns != "?" && !share.is_some_and(is_number) && !matches!(owns, "NaN" | "NaN%" | "\u{fffd}")
    {
        return Err("a share, as `26.7%` or `?`".into());
    }
    let (rest, unit) = last_word(rest);
    let rest = match (unit, last_word(rest)) {
        ("?", _) => rest,
        ("bytes" | "KiB" | "MiB" | "GiB" | "TiB" | "PiB", (rest, number)) if is_number(number) => {
            rest
        }
        ("KB" | "MB" | "GB" | "TB" | "PB", (rest, number)) if is_number(number) => rest,
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
    let rest = rest.trim_ascii_end();
    if !["Up", "Down", "?"].iter().any(|status| rest.ends_with(status)) {
        return Err("a status of `Up`, `Down` or `?`".into());
    }
    Ok(RingRow { address, mode, token })
}

/// A number in the node's locale.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_numeric() || matches!(c, '.' | ',' | '٫'))
}

/// The last word and what comes before it.
fn last_word(text: &str) -> (&str, &str) {
    let text = text.trim_ascii_end();
    text.rsplit_once(' ').unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Address         Rack        Status State   Load            Owns                Token                                       ";

    fn block(dc: &str, last: &str, rows: &str) -> String {
        format!("Datacenter: {dc}\n==========\n{HEADER}\n{last}\n{rows}\n")
    }

    fn one(partitioner: Partitioner, last: &str, rows: &str) -> Result<Vec<RingRow>, ParseError> {
        ring(partitioner, &format!("\n{}\n  ", block("dc1", &format!("   {last}   "), rows)))
    }

    fn row(token: &str) -> String {
        format!("10.0.0.1  r  Up  Normal  1 bytes  ?  {token}\n")
    }

    #[test]
    fn racks_may_hold_anything_and_touch_the_next_column() {
        let rows = one(
            Partitioner::Murmur3,
            "7",
            "127.0.0.1  rack 1 - Up  Down   Joining ?  ?  -5  \n\
             127.0.0.2               ?      Moving  1 bytes  ?  3\n\
             ::1  a-very-long-rackUp     Normal  70,21 KiB  33,3%  7\n",
        )
        .unwrap();
        assert_eq!(rows[0].mode, Mode::Joining);
        assert_eq!((rows[1].mode, rows[1].address.to_string()), (Mode::Moving, "127.0.0.2".into()));
        assert_eq!(rows[2].address.to_string(), "::1");
        assert_eq!(rows[2].token, Token::Number(7));
    }

    #[test]
    fn other_locales_unknown_loads_and_shares_are_read() {
        for cells in
            ["?  ?", "٢٨٣٫٩٣ KiB  ٩٩٫٩٪", "1,5 GB  NaN", "1 bytes  \u{fffd}", "0 bytes  0.00%"]
        {
            let row = format!("10.0.0.1  r  Up  Normal  {cells}  7\n");
            assert!(one(Partitioner::Murmur3, "7", &row).is_ok(), "{cells}");
        }
    }

    #[test]
    fn ipv6_and_ports_are_read_and_names_are_refused() {
        for (cell, read) in [
            ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
            ("[2001:db8:0:0:0:0:0:1]:7000", "2001:db8::1"),
            ("127.0.0.2:7000", "127.0.0.2"),
        ] {
            let row = format!("{cell}  r  Up  Normal  1 bytes  ?  7\n");
            let rows = one(Partitioner::Murmur3, "7", &row).unwrap();
            assert_eq!(rows[0].address.to_string(), read);
        }
        let error = one(Partitioner::Murmur3, "7", "node1  r  Up  Normal  1 bytes  ?  7\n");
        let error = error.unwrap_err();
        assert_eq!(error.line_number, 6);
        assert!(error.to_string().contains("leave `-r` out"), "{error}");
    }

    #[test]
    fn tokens_of_other_partitioners_are_read() {
        let row = "10.0.0.1  r  Up  Normal  1 bytes  ?  0aff\n";
        let rows = one(Partitioner::ByteOrdered, "0aff", row).unwrap();
        assert_eq!(rows[0].token, Token::Bytes([0x0a, 0xff].into()));
        assert!(one(Partitioner::Murmur3, "0aff", row).is_err());
        // Longer than its column: nothing stands behind it.
        let long = "ab".repeat(40);
        let row = format!("10.0.0.1  r  Up  Normal  1 bytes  ?  {long}\n");
        assert!(one(Partitioner::ByteOrdered, &long, &row).is_ok());
        let row = "10.0.0.1:7000  r  Up  Leaving  1 bytes  100.00%  85070591730234615865843651857942052864\n";
        let rows = one(Partitioner::Random, "85070591730234615865843651857942052864", row).unwrap();
        assert_eq!((rows[0].mode, &rows[0].token), (Mode::Leaving, &Token::Large(1 << 126)));
    }

    #[test]
    fn a_data_center_of_one_token_names_no_greatest() {
        let dc2 = block("dc2", "", &row("7"));
        let text = format!("\n{}{dc2}\n  ", block("dc1", "5", &(row("-5") + &row("5"))));
        assert_eq!(ring(Partitioner::Murmur3, &text).unwrap().len(), 3);
        for rows in [row("7") + &row("8"), String::new()] {
            let text = format!("\n{}\n  ", block("dc1", "", &rows));
            let error = ring(Partitioner::Murmur3, &text).unwrap_err();
            assert!(error.expected.contains("one row"), "{error}");
        }
    }

    #[test]
    fn what_was_cut_or_is_not_understood_is_refused() {
        let refused = |last: &str, rows: &str, part: &str| {
            let error = one(Partitioner::Murmur3, last, rows).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused("7", &row("5"), "the row of the greatest token, 7");
        refused("7", "", "the row of the greatest token, 7");
        refused("7", &format!("{}{}", row("7"), row("5")), "ascending");
        refused("7", &format!("{}{}", row("7"), row("7")), "ascending");
        refused("7", "10.0.0.1  r  Up  Idle  1 bytes  ?  7\n", "a state of");
        refused("7", "10.0.0.1  r  Off  Normal  1 bytes  ?  7\n", "a status of");
        refused("7", "10.0.0.1  r  Up  Normal  1 apple  ?  7\n", "a load");
        refused("7", "10.0.0.1  r  Up  Normal  one KiB  ?  7\n", "a load");
        refused("7", "10.0.0.1  r  Up  Normal  1 bytes  half  7\n", "a share");
        refused("7", "10.0.0.1  r  Up  Normal  1 bytes  %  7\n", "a share");
        refused("7", "10.0.0.1\n", "a token");
        refused("x", &row("7"), "the greatest token");
        let error = ring(Partitioner::Murmur3, "\nError: no such keyspace\n").unwrap_err();
        assert!(error.to_string().contains("found `Error: no such"), "{error}");
    }

    #[test]
    fn a_data_center_or_a_token_that_comes_twice_is_refused() {
        let error = |blocks: [String; 2]| {
            let text = format!("\n{}\n  ", blocks.concat());
            ring(Partitioner::Murmur3, &text).unwrap_err().to_string()
        };
        let same_name = error([block("dc1", "", &row("5")), block("dc1", "", &row("7"))]);
        assert!(same_name.contains("no earlier block"), "{same_name}");
        let same_token = error([block("dc1", "", &row("5")), block("dc2", "", &row("5"))]);
        assert!(same_token.contains("`5` comes twice"), "{same_token}");
    }

    #[test]
    fn an_output_that_stops_between_two_data_centers_is_refused() {
        let (dc1, dc2) = (block("dc1", "", &row("5")), block("dc2", "", &row("7")));
        for end in ["\n  ", "\n  Note: meaningless\n", "  Warning: \"nodetool ring\" is\n\n\n  "] {
            let whole = format!("\n{dc1}{dc2}{end}");
            let rows = ring(Partitioner::Murmur3, &whole).unwrap();
            assert_eq!(rows.len(), 2, "{end:?}");
            for at in 0..whole.len() {
                if let Ok(cut) = ring(Partitioner::Murmur3, &whole[..at]) {
                    assert_eq!(cut, rows, "{end:?} cut at {at}");
                }
            }
        }
        let error = ring(Partitioner::Murmur3, &format!("\n{dc1}")).unwrap_err();
        assert!(error.expected.contains("is it cut?"), "{error}");
        let error = ring(Partitioner::Murmur3, &format!("\n{dc1}\nsomething\n  ")).unwrap_err();
        assert!(error.expected.contains("the end of the output"), "{error}");
    }
}
