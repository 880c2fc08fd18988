//! The rings: where which rack's tokens are, which of them are out, and where nothing more may go out.
use super::{CENTRE, Look, RADIUS, colours, escaped, look, tooltip};
use crate::topology::{Row, owned_in, places};
use quorate_ring::{DataCenter, NodeId, Topology};
use std::{collections::BTreeMap, f64::consts::TAU, fmt::Write as _};

/// Where tokens are too many to be drawn one by one, and for the marks beside a ring, it is cut into pieces of
/// this length: what is narrower would be a blur.
const PIECE: f64 = 1.25;
/// The most tokens of a data center that are drawn one by one.
const ONE_BY_ONE: usize = 720;
/// The most tokens between which a line is left free.
const WITH_GAPS: usize = 200;
/// What is left free in the middle.
const HOLE: f64 = 60.0;

/// The part of the ring that a token ends, in turns from the top; it may begin before 0.
struct Arc {
    from: f64,
    to: f64,
    id: NodeId,
}

/// How much of the radius each ring has.
pub(super) fn thickness(rings: usize) -> f64 {
    ((RADIUS - HOLE) / rings.max(1) as f64).min(84.0)
}

/// Draws one data center's ring, clockwise from the least token at the top.
pub(super) fn ring(
    body: &mut String,
    topology: &Topology,
    dc: &DataCenter,
    rows: &[Row<'_>],
    outer: f64,
    thickness: f64,
) {
    let arcs = arcs(topology, dc);
    let count = (outer * TAU / PIECE).max(1.0) as usize;
    let of: BTreeMap<NodeId, &Row<'_>> = rows.iter().map(|row| (row.id, row)).collect();
    let colours = colours(rows);
    let colour = |id: NodeId| colours[of[&id].node.rack.as_str()];
    let (middle, band) = (outer - thickness * 0.5, thickness * 0.56);
    let _ = writeln!(body, "<g fill=\"none\">");
    if arcs.len() <= ONE_BY_ONE {
        for Arc { from, to, id } in &arcs {
            let _ = writeln!(
                body,
                "<path class=\"s{}\" stroke-width=\"{band:.1}\" d=\"{}\"><title>{}</title></path>",
                colour(*id),
                curve(middle, *from, *to),
                escaped(&tooltip(of[id]))
            );
        }
    } else {
        let most = most_of_each_piece(&arcs, count, colour);
        for (class, d) in curves(middle, &most) {
            let _ =
                writeln!(body, "<path class=\"s{class}\" stroke-width=\"{band:.1}\" d=\"{d}\"/>");
        }
    }
    if arcs.len() > 1 && arcs.len() <= WITH_GAPS {
        let gap = |arc: &Arc| spoke(middle - band / 2.0, middle + band / 2.0, arc.to);
        let d: String = arcs.iter().map(gap).collect();
        let _ = writeln!(body, "<path class=\"cut\" d=\"{d}\"/>");
    }
    let mark = thickness * 0.09;
    let is_out = |id: NodeId| look(of[&id].node.status) == Look::Out;
    let is_zero = |id: NodeId| of[&id].slack == Some(0) && !is_out(id);
    let (outside, inside) = (outer - thickness * 0.13, outer - thickness * 0.87);
    for (class, radius, marked) in [
        ("outs", outside, touched(&arcs, count, is_out)),
        ("zero", inside, touched(&arcs, count, is_zero)),
    ] {
        for (_, d) in curves(radius, &marked) {
            let _ =
                writeln!(body, "<path class=\"{class}\" stroke-width=\"{mark:.1}\" d=\"{d}\"/>");
        }
    }
    let _ = writeln!(
        body,
        "</g>\n<text class=\"ink label\" x=\"{}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"{:.1}\" \
         stroke-width=\"5\" stroke-linejoin=\"round\" paint-order=\"stroke\">{}</text>",
        CENTRE.0,
        CENTRE.1 - middle + 4.0,
        (band * 0.7).clamp(7.0, 14.0),
        escaped(dc.as_str())
    );
}

fn arcs(topology: &Topology, dc: &DataCenter) -> Vec<Arc> {
    let owned = owned_in(topology, dc);
    // Tokens without distances stand at equal ones, in their order.
    let evenly = || (1..=owned.len()).map(|n| n as f64 / owned.len() as f64).collect();
    let places: Vec<f64> = places(&owned).unwrap_or_else(evenly);
    let mut before = places.last().map_or(0.0, |last| last - 1.0);
    let arc = |(to, (_, id)): (f64, &(_, NodeId))| {
        let from = std::mem::replace(&mut before, to);
        Arc { from, to, id: *id }
    };
    places.into_iter().zip(&owned).map(arc).collect()
}

/// The pieces that an arc lies in, with how much of each it covers.
fn pieces(arc: &Arc, count: usize) -> impl Iterator<Item = (usize, f64)> {
    let (from, to) = (arc.from * count as f64, arc.to * count as f64);
    let first = from.floor() as i64;
    let last = (to.ceil() as i64 - 1).max(first);
    (first..=last).map(move |piece| {
        let covered = to.min(piece as f64 + 1.0) - from.max(piece as f64);
        (piece.rem_euclid(count as i64) as usize, covered)
    })
}

/// The colour that covers most of each piece.
fn most_of_each_piece(
    arcs: &[Arc],
    count: usize,
    colour: impl Fn(NodeId) -> usize,
) -> Vec<Option<usize>> {
    let mut covered = vec![[0.0_f64; super::COLOURS]; count];
    for arc in arcs {
        for (piece, part) in pieces(arc, count) {
            covered[piece][colour(arc.id)] += part;
        }
    }
    let most = |parts: &[f64; super::COLOURS]| {
        parts.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(colour, _)| colour)
    };
    covered.iter().map(most).collect()
}

/// The pieces in which there is anything of these nodes.
fn touched(arcs: &[Arc], count: usize, concerns: impl Fn(NodeId) -> bool) -> Vec<Option<usize>> {
    let mut touched = vec![None; count];
    for arc in arcs.iter().filter(|arc| concerns(arc.id)) {
        pieces(arc, count).for_each(|(piece, _)| touched[piece] = Some(0));
    }
    touched
}

/// Neighbouring pieces of one kind as one curve; all curves of a kind as one path.
fn curves(radius: f64, pieces: &[Option<usize>]) -> BTreeMap<usize, String> {
    let mut paths: BTreeMap<usize, String> = BTreeMap::new();
    let (mut at, count) = (0, pieces.len() as f64);
    for run in pieces.chunk_by(|a, b| a == b) {
        let (from, to) = (at as f64 / count, (at + run.len()) as f64 / count);
        at += run.len();
        if let Some(kind) = run[0] {
            paths.entry(kind).or_default().push_str(&curve(radius, from, to));
        }
    }
    paths
}

fn point(radius: f64, turn: f64) -> (f64, f64) {
    let (sine, cosine) = (turn * TAU).sin_cos();
    (CENTRE.0 + radius * sine, CENTRE.1 - radius * cosine)
}

fn curve(radius: f64, from: f64, to: f64) -> String {
    // An arc that ends where it begins would be none.
    if to - from > 0.75 {
        let half = (from + to) / 2.0;
        return curve(radius, from, half) + &curve(radius, half, to);
    }
    let ((x, y), (to_x, to_y)) = (point(radius, from), point(radius, to));
    let large = u8::from(to - from > 0.5);
    format!("M{x:.1} {y:.1}A{radius:.1} {radius:.1} 0 {large} 1 {to_x:.1} {to_y:.1}")
}

fn spoke(from: f64, to: f64, turn: f64) -> String {
    let ((x, y), (to_x, to_y)) = (point(from, turn), point(to, turn));
    format!("M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}")
}
