//! `nodetool status`.
//!
//! ```text
//! Datacenter: dc1
//! ===============
//! Status=Up/Down
//! |/ State=Normal/Leaving/Joining/Moving
//! --  Address    Load        Tokens  Owns  Host ID                               Rack
//! UN  127.0.0.2  283.93 KiB  4       ?     209c9362-ad56-41c1-b68c-314642ba141f  rack2
//!
//! Note: Non-system keyspaces don't have the same replication settings, …
//! ```
use super::{ParseError, address, lines::Line, lines::Lines};
use crate::{Address, DataCenter, HostId, NodeStatus, Rack};
use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

/// One row of `nodetool status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// The two letters.
    pub status: NodeStatus,
    /// Broadcast address; a port is dropped.
    pub address: Address,
    /// As printed, in the node's locale: `104,11 KiB`; `?` where it isn't known.
    pub load: String,
    /// How many tokens; `None` in the single-token form, which prints the token itself.
    pub tokens: Option<u32>,
    /// The token, in the single-token form.
    pub token: Option<String>,
    /// As printed: `26.7%`; `?` where it isn't known.
    pub owns: String,
    /// Absent where `null` or nothing is printed: the node is about to join.
    pub host_id: Option<HostId>,
    /// May hold spaces.
    pub rack: Rack,
    /// From the block's header.
    pub data_center: DataCenter,
}

/// Reads the output of `nodetool status`.
///
/// # Errors
/// On anything else: no block, a block without rows or without the empty line that ends it, columns
/// or letters that aren't known, names in place of addresses.
pub fn status(text: &str) -> Result<Vec<StatusRow>, ParseError> {
    let mut lines = Lines::new("nodetool status", text);
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    lines.skip_empty()?;
    loop {
        block(&mut lines, &mut seen, &mut rows)?;
        match lines.next()? {
            None => return Ok(rows),
            Some(line) if line.text.starts_with("Note: ") => {
                lines.finish()?;
                return Ok(rows);
            }
            Some(line) => lines.put_back(line),
        }
    }
}

/// Reads one data center's block with the empty lines after it.
fn block(
    lines: &mut Lines<'_>,
    seen: &mut BTreeSet<DataCenter>,
    rows: &mut Vec<StatusRow>,
) -> Result<(), ParseError> {
    let (line, name) = lines.field("Datacenter: ")?;
    let data_center = DataCenter::new(name);
    if name.is_empty() || !seen.insert(data_center.clone()) {
        return Err(lines.unexpected(line, "a data center that no earlier block has"));
    }
    let line = lines.require("a line of `=`")?;
    if line.text.is_empty() || !line.text.bytes().all(|b| b == b'=') {
        return Err(lines.unexpected(line, "a line of `=`"));
    }
    lines.field("Status=Up/Down")?;
    lines.field("|/ State=Normal/Leaving/Joining/Moving")?;
    let line = lines.require("the header of the columns")?;
    let header = Header::read(line.text)
        .ok_or_else(|| lines.unexpected(line, "a header of columns that this program knows"))?;
    let first = rows.len();
    loop {
        let Some(line) = lines.next()? else {
            return Err(lines.at_end("an empty line after the last row (is the output cut?)"));
        };
        // Before 4.0 the next block follows at once.
        let ends = line.text.trim().is_empty() || line.text.starts_with("Datacenter: ");
        if ends && rows.len() == first {
            return Err(lines.unexpected(line, "a node's row"));
        }
        if ends {
            lines.put_back(line);
            lines.skip_empty()?;
            return Ok(());
        }
        rows.push(header.row(lines, line, &data_center)?);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Address,
    Load,
    Tokens,
    Owns,
    HostId,
    Token,
    Rack,
}

/// What the header calls the columns. A name comes before another that it begins with.
const NAMES: [(&str, Column); 8] = [
    ("Address", Column::Address),
    ("Load", Column::Load),
    ("Tokens", Column::Tokens),
    ("Token", Column::Token),
    ("Owns (effective)", Column::Owns),
    ("Owns", Column::Owns),
    ("Host ID", Column::HostId),
    ("Rack", Column::Rack),
];

/// The columns in their order, each with the place where it begins.
struct Header(Vec<(Column, usize)>);

impl Header {
    /// Reads the header. Every column that matters must be there once; the rack, which alone may hold
    /// any text, must be the last.
    fn read(text: &str) -> Option<Self> {
        let mut columns: Vec<(Column, usize)> = Vec::new();
        let mut rest = text.strip_prefix("--")?;
        while !rest.trim_start().is_empty() {
            let (blank, trimmed) = (rest.starts_with(' '), rest.trim_start());
            let (name, column) = NAMES.iter().find(|(name, _)| trimmed.starts_with(name))?;
            if !blank || columns.iter().any(|(known, _)| known == column) {
                return None;
            }
            columns.push((*column, text.len() - trimmed.len()));
            rest = &trimmed[name.len()..];
        }
        let has = |column| columns.iter().any(|(known, _)| *known == column);
        let complete = [Column::Address, Column::Load, Column::Owns, Column::HostId].map(has)
            == [true; 4]
            && has(Column::Tokens) != has(Column::Token)
            && columns.last()?.0 == Column::Rack;
        complete.then_some(Self(columns))
    }

    fn row(
        &self,
        lines: &Lines<'_>,
        line: Line<'_>,
        data_center: &DataCenter,
    ) -> Result<StatusRow, ParseError> {
        self.cells(line.text, data_center).map_err(|what| {
            let columns = self.0.len() + 1;
            lines.unexpected(line, format!("a node's row of {columns} columns with {what}"))
        })
    }

    /// Reads a row by what each column can hold. Places don't tell the cells apart: before 4.0 a long
    /// cell shifts those after it.
    fn cells(&self, row: &str, data_center: &DataCenter) -> Result<StatusRow, String> {
        let mut rest = row;
        let status = NodeStatus::from_letters(word(&mut rest))
            .ok_or("a status of `U`, `D` or `?` and a state of `N`, `L`, `J`, `M`, `S` or `?`")?;
        let (mut address, mut load, mut tokens, mut owns) = (None, None, None, None);
        let (mut host_id, mut token, mut rack) = (None, None, None);
        for (i, (column, _)) in self.0.iter().enumerate() {
            match column {
                Column::Address => address = Some(address::address(word(&mut rest))?),
                Column::Load => load = Some(self::load(&mut rest)?),
                Column::Tokens => {
                    let count = word(&mut rest).parse::<u32>();
                    tokens = Some(count.map_err(|_| "a number of tokens")?);
                }
                Column::Owns => owns = Some(self::owns(&mut rest)?),
                Column::HostId => host_id = self.host_id(i, row, &mut rest)?,
                Column::Token => {
                    let text = word(&mut rest);
                    if text.is_empty() {
                        return Err("a token".into());
                    }
                    token = Some(text.into());
                }
                Column::Rack => rack = Some(rest.trim()).filter(|rack| !rack.is_empty()),
            }
        }
        Ok(StatusRow {
            status,
            address: address.ok_or("an address")?,
            load: load.ok_or("a load")?,
            tokens,
            token,
            owns: owns.ok_or("a share")?,
            host_id,
            rack: Rack::new(rack.ok_or("a rack")?),
            data_center: data_center.clone(),
        })
    }

    /// A UUID; `null`; or nothing at all, which only the place of the column can tell from the next cell.
    fn host_id(&self, i: usize, row: &str, rest: &mut &str) -> Result<Option<HostId>, String> {
        let before = *rest;
        let cell = word(rest);
        if cell == "null" {
            return Ok(None);
        }
        if let Some(id) = address::host_id(cell) {
            return Ok(Some(id));
        }
        let (start, end) = (self.0[i].1, self.0.get(i + 1).map_or(usize::MAX, |(_, start)| *start));
        if !cell.is_empty() && is_blank(row, start, end) {
            *rest = before;
            return Ok(None);
        }
        Err("a host id or `null`".into())
    }
}

/// Takes the next word away; empty at the end.
fn word<'a>(rest: &mut &'a str) -> &'a str {
    let trimmed = rest.trim_start();
    let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
    let (word, after) = trimmed.split_at(end);
    *rest = after;
    word
}

/// `?`, or a number in the node's locale and a unit.
fn load(rest: &mut &str) -> Result<String, String> {
    let number = word(rest);
    if number == "?" {
        return Ok(number.into());
    }
    let unit = word(rest);
    let known = matches!(
        unit,
        "bytes" | "KiB" | "MiB" | "GiB" | "TiB" | "PiB" | "KB" | "MB" | "GB" | "TB" | "PB"
    );
    if !known || !number.chars().all(|c| c.is_numeric() || matches!(c, '.' | ',' | '٫')) {
        return Err("a load, as `104.11 KiB` or `?`".into());
    }
    Ok(format!("{number} {unit}"))
}

/// `?`, or a percentage in the node's locale.
fn owns(rest: &mut &str) -> Result<String, String> {
    let cell = word(rest);
    let is_share = cell.strip_suffix(['%', '٪']).is_some_and(|n| {
        !n.is_empty() && n.chars().all(|c| c.is_numeric() || matches!(c, '.' | ',' | '٫'))
    });
    if cell == "?" || is_share || matches!(cell, "NaN" | "NaN%" | "\u{fffd}") {
        return Ok(cell.to_string());
    }
    Err("a share, as `26.7%` or `?`".into())
}

/// Whether a row has only spaces between two places, counted as Java counts: in UTF-16 units.
fn is_blank(row: &str, start: usize, end: usize) -> bool {
    let mut place = 0;
    for c in row.chars() {
        if (start..end).contains(&place) && c != ' ' {
            return false;
        }
        place += c.len_utf16();
    }
    place >= end
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGEND: &str = "Status=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n";
    const HOST: &str = "209c9362-ad56-41c1-b68c-314642ba141f";

    fn one(header: &str, row: &str) -> Result<Vec<StatusRow>, ParseError> {
        status(&format!("Datacenter: dc1\n===============\n{LEGEND}{header}\n{row}\n\n"))
    }

    fn vnodes(row: &str) -> Result<Vec<StatusRow>, ParseError> {
        one(
            "--  Address    Load        Tokens  Owns  Host ID                               Rack  ",
            row,
        )
    }

    #[test]
    fn both_forms_of_the_columns_are_read_by_their_header() {
        let rows =
            vnodes(&format!("UN  127.0.0.2  283.93 KiB  4       ?     {HOST}  rack2")).unwrap();
        assert_eq!(rows[0].tokens, Some(4));
        assert_eq!(rows[0].host_id, Some(HostId::new(HOST)));
        let rows = one(
            "--  Address    Load        Owns (effective)  Host ID                               Token                Rack",
            &format!("DL  127.0.0.2  283.93 KiB  100.0%            {HOST}  -123  rack2"),
        )
        .unwrap();
        assert_eq!((rows[0].tokens, rows[0].token.as_deref()), (None, Some("-123")));
        assert_eq!((rows[0].owns.as_str(), rows[0].rack.as_str()), ("100.0%", "rack2"));
        assert_eq!(rows[0].status, NodeStatus::from_letters("DL").unwrap());
    }

    #[test]
    fn racks_with_spaces_and_dashes_are_kept_whole() {
        let rows =
            vnodes(&format!("UN  127.0.0.2  1 bytes  4  ?  {HOST}  rack 2 - über  ")).unwrap();
        assert_eq!(rows[0].rack.as_str(), "rack 2 - über");
    }

    #[test]
    fn unknown_loads_shares_and_other_locales_are_read() {
        let rows = vnodes(&format!("?J  127.0.0.2  ?           4       ?     {HOST}  r")).unwrap();
        assert_eq!((rows[0].load.as_str(), rows[0].owns.as_str()), ("?", "?"));
        let rows = vnodes(&format!("UN  ::1  283,93 KiB  4       99,9%     {HOST}  r")).unwrap();
        assert_eq!((rows[0].load.as_str(), rows[0].owns.as_str()), ("283,93 KiB", "99,9%"));
        let rows = vnodes(&format!("UN  ::1  ٢٨٣٫٩٣ KiB  4       ٩٩٫٩٪     {HOST}  r")).unwrap();
        assert_eq!(rows[0].owns, "٩٩٫٩٪");
    }

    #[test]
    fn a_host_id_can_be_null_or_not_be_there() {
        let row =
            "UJ  127.0.0.2  ?           4       ?     null                                  rack2";
        assert_eq!(vnodes(row).unwrap()[0].host_id, None);
        let row =
            "UJ  127.0.0.2  ?           4       ?                                           rack 2";
        let rows = vnodes(row).unwrap();
        assert_eq!((rows[0].host_id.clone(), rows[0].rack.as_str()), (None, "rack 2"));
        let row =
            "UJ  127.0.0.2  ?           4       ?     209c9362-ad56                         rack2";
        assert!(vnodes(row).unwrap_err().expected.contains("host id"));
        // Before 4.0 cells shift; a rack in the host id's place is not taken for a rack.
        assert!(vnodes("UJ  127.0.0.2  ?  4  ?  rack2").is_err());
    }

    #[test]
    fn ipv6_and_ports_are_read_and_names_are_refused() {
        for (cell, read) in [
            ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:7000", "2001:db8::1"),
            ("127.0.0.2:7000", "127.0.0.2"),
        ] {
            let rows = vnodes(&format!("UN  {cell}  1 KiB  4  ?  {HOST}  r")).unwrap();
            assert_eq!(rows[0].address.to_string(), read);
        }
        let error = vnodes(&format!("UN  localhost  1 KiB  4  ?  {HOST}  r")).unwrap_err();
        assert_eq!(error.line_number, 6);
        assert!(error.to_string().contains("leave `-r` out"), "{error}");
        let error = vnodes(&format!("UN  fe80::1%2  1 KiB  4  ?  {HOST}  r")).unwrap_err();
        assert!(error.to_string().contains("scope id"), "{error}");
    }

    #[test]
    fn letters_that_are_not_known_are_errors() {
        for letters in ["XN", "UX", "U", "UNN", "un", "--"] {
            let error =
                vnodes(&format!("{letters}  127.0.0.2  1 KiB  4  ?  {HOST}  r")).unwrap_err();
            assert!(error.expected.contains("a status of"), "{error}");
        }
    }

    #[test]
    fn a_cut_or_empty_output_is_an_error() {
        let error = status("").unwrap_err();
        assert_eq!((error.line_number, error.line), (1, None));
        assert!(status("\n\n").is_err());
        let whole = format!(
            "Datacenter: dc1\n===============\n{LEGEND}--  Address  Load  Tokens  Owns  Host ID  Rack\nUN  ::1  1 KiB  4  ?  {HOST}  r\n\n"
        );
        assert_eq!(status(&whole).unwrap().len(), 1);
        for end in 0..whole.len() {
            assert!(status(&whole[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn foreign_columns_and_text_are_refused() {
        for header in [
            "--  Address  Load  Tokens  Owns  Host ID  Rack  Health",
            "--  Address  Load  Tokens  Owns  Rack",
            "--  Address  Address  Load  Tokens  Owns  Host ID  Rack",
            "--  Address  Load  Tokens  Token  Owns  Host ID  Rack",
            "--  Address  Load  Tokens  Owns  Rack  Host ID",
            "--",
            "AddressLoad",
        ] {
            assert!(one(header, "x").unwrap_err().expected.contains("header"), "{header}");
        }
        let error = status("Welcome to node 1!\nDatacenter: dc1\n").unwrap_err();
        assert!(
            error.to_string().contains("line 1: expected `Datacenter: …`, found `Welcome"),
            "{error}"
        );
        let block = format!(
            "Datacenter: dc1\n===\n{LEGEND}--  Address  Load  Tokens  Owns  Host ID  Rack\n"
        );
        assert!(status(&format!("{block}\n")).unwrap_err().expected.contains("row"));
        let twice = format!("{block}UN  ::1  1 KiB  4  ?  {HOST}  r\n\n").repeat(2);
        assert!(status(&twice).unwrap_err().expected.contains("no earlier block"));
    }

    #[test]
    fn blocks_may_follow_each_other_without_an_empty_line_as_before_4_0() {
        let block = |dc: &str| {
            format!(
                "Datacenter: {dc}\n===\n{LEGEND}--  Address  Load  Tokens  Owns  Host ID  Rack\nUN  ::1  1 KiB  4  ?  {HOST}  r\n"
            )
        };
        let rows = status(&format!("{}{}\n", block("a"), block("b c"))).unwrap();
        assert_eq!(rows[1].data_center.as_str(), "b c");
    }
}
