//! What an attachment prints: lines, and frames of the action's output.
use crate::fault::{Fault, one_line};
use bytes::{Buf, Bytes, BytesMut};
use quorate_ports::{Exit, FaultKind, Stream};

/// The node sends at most 64 blocks of 4 KiB in a frame.
const LARGEST: usize = 64 * 4096;
/// No line of ours is longer; faults hold what programs there said.
const LONGEST_LINE: usize = 16 * 1024;

/// One thing that an attachment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The action has been claimed: it has started, or will without us.
    Claimed,
    /// Output.
    Data {
        /// Of this stream.
        stream: Stream,
        /// From this byte on.
        offset: u64,
        /// All of the frame.
        bytes: Bytes,
    },
    /// A sign of life.
    Beat,
    /// The program ended, or was ended after so many milliseconds.
    Ended(Ended),
    /// Nobody knows how it ended.
    Lost(String),
    /// The node can't do what an action needs.
    Fault(String),
    /// The bundle didn't arrive whole; nothing was started.
    Short,
    /// The action's files are gone.
    Forgotten,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself.
    Exit(Exit),
    /// By its supervisor, after this limit in milliseconds.
    Timeout(u64),
}

/// Puts frames together from pieces of any size. Holds one frame at most.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: BytesMut,
    /// The frame whose bytes are awaited: stream, offset, length.
    pending: Option<(Stream, u64, usize)>,
}

impl Frames {
    /// Takes bytes that arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// Bytes that no attachment of ours prints.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Fault> {
        if self.pending.is_none() {
            let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') else {
                return match self.buffer.len() {
                    0..=LONGEST_LINE => Ok(None),
                    _ => Err(garbled(&self.buffer)),
                };
            };
            if end > LONGEST_LINE {
                return Err(garbled(&self.buffer));
            }
            let line = self.buffer.split_to(end);
            self.buffer.advance(1);
            match header(&line)? {
                Head::Line(frame) => return Ok(Some(frame)),
                Head::Data(stream, offset, length) => self.pending = Some((stream, offset, length)),
            }
        }
        let Some((stream, offset, length)) = self.pending else { return Ok(None) };
        if self.buffer.len() <= length {
            return Ok(None);
        }
        // A file that shrank meanwhile would put the next header here.
        if self.buffer[length] != b'\n' {
            return Err(garbled(&self.buffer[length..]));
        }
        let bytes = self.buffer.split_to(length).freeze();
        self.buffer.advance(1);
        self.pending = None;
        Ok(Some(Frame::Data { stream, offset, bytes }))
    }
}

enum Head {
    Line(Frame),
    Data(Stream, u64, usize),
}

fn header(line: &[u8]) -> Result<Head, Fault> {
    let text = String::from_utf8_lossy(line);
    let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let frame = match (word, rest) {
        ("claimed", "") => Frame::Claimed,
        ("beat", "") => Frame::Beat,
        ("short", "") => Frame::Short,
        ("forgotten", "") => Frame::Forgotten,
        ("lost", why) => Frame::Lost(one_line(why)),
        ("fault", why) => Frame::Fault(one_line(why)),
        ("status", status) => Frame::Ended(ended(status).ok_or_else(|| garbled(line))?),
        ("out", place) => return data(Stream::Stdout, place).ok_or_else(|| garbled(line)),
        ("err", place) => return data(Stream::Stderr, place).ok_or_else(|| garbled(line)),
        _ => return Err(garbled(line)),
    };
    Ok(Head::Line(frame))
}

fn data(stream: Stream, place: &str) -> Option<Head> {
    let (offset, length) = place.split_once(' ')?;
    let length = length.parse().ok().filter(|length| (1..=LARGEST).contains(length))?;
    Some(Head::Data(stream, offset.parse().ok()?, length))
}

fn ended(status: &str) -> Option<Ended> {
    match status.split_once(' ')? {
        // A shell tells a signal as 128 and its number, which a program may also return: it is passed on as it is.
        ("exit", code) => code.parse().ok().map(|code| Ended::Exit(Exit::Code(code))),
        ("timeout", limit_ms) => limit_ms.parse().ok().map(Ended::Timeout),
        _ => None,
    }
}

fn garbled(bytes: &[u8]) -> Fault {
    let shown = one_line(&String::from_utf8_lossy(&bytes[..bytes.len().min(80)]));
    Fault::new(
        FaultKind::Node,
        format!("the attachment to the action printed what it never should: {shown:?}"),
    )
    .hint("does something on the node print into every session, or change the files of actions?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8], chunk: usize) -> Result<Vec<Frame>, Fault> {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for part in text.chunks(chunk) {
            frames.push(part);
            while let Some(frame) = frames.next()? {
                seen.push(frame);
            }
        }
        Ok(seen)
    }

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let text = b"claimed\nout 0 5\nab\ncd\nerr 7 1\n\n\nbeat\nlost a b\nstatus exit 3\nstatus timeout 1500\nfault no space\nshort\nforgotten\n";
        let data = |stream, offset, bytes: &'static [u8]| Frame::Data {
            stream,
            offset,
            bytes: Bytes::from_static(bytes),
        };
        let expected = [
            Frame::Claimed,
            data(Stream::Stdout, 0, b"ab\ncd"),
            data(Stream::Stderr, 7, b"\n"),
            Frame::Beat,
            Frame::Lost("a b".into()),
            Frame::Ended(Ended::Exit(Exit::Code(3))),
            Frame::Ended(Ended::Timeout(1500)),
            Frame::Fault("no space".into()),
            Frame::Short,
            Frame::Forgotten,
        ];
        for chunk in 1..=text.len() {
            assert_eq!(parse(text, chunk).unwrap(), expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn what_is_not_a_frame_is_an_error_and_not_output() {
        for text in [
            &b"Last login: today\n"[..],
            b"out 0 2\nabc\n",
            b"out 0 0\n\n",
            b"out 0 262145\n",
            b"out x 1\na\n",
            b"out 0\n",
            b"status exit\n",
            b"status done 0\n",
            b"status exit x\n",
            b"claimed now\n",
            b"\n",
        ] {
            let fault = parse(text, 4).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Node, "{}", String::from_utf8_lossy(text));
        }
        assert!(parse(&vec![b'x'; LONGEST_LINE + 1], 1000).is_err());
        // Also where its end arrives with it.
        let long = [&b"lost "[..], &vec![b'x'; LONGEST_LINE], b"\n"].concat();
        for chunk in [1000, long.len()] {
            assert!(parse(&long, chunk).is_err());
        }
    }

    #[test]
    fn a_frame_that_was_cut_short_is_not_delivered() {
        assert_eq!(parse(b"claimed\nout 0 4\nab", 3).unwrap(), [Frame::Claimed]);
        assert_eq!(parse(b"out 0 4\nabcd", 3).unwrap(), []);
    }
}
