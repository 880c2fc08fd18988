//! What a person sees of a job: cells, boards, lines and tables. Returns text, prints nothing.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod board;
mod cells;
mod doctor;
mod events;
mod findings;
mod lines;
mod output;
mod paint;
mod plan;
mod reasons;
mod report;
mod svg;
mod tables;
mod time;
mod topology;

pub use board::{Board, Glance, board_summary};
pub use cells::{Cell, cell};
pub use doctor::{DoctorView, trouble_line};
pub use events::{
    ErrorView, asked_json, ended_json, error_json, event_json, not_begun_json, output_json,
    waiting_json,
};
pub use findings::{findings, unsettled};
pub use lines::{event_line, waiting_lines};
pub use output::{OutputLine, OutputLines};
pub use paint::Paint;
pub use plan::PlanView;
pub use reasons::{explain, explain_json, reason_json};
pub use report::{job_json, jobs_json};
pub use tables::{JobRow, Progress, end_line, job_report, jobs_table, left_lines, progress};
pub use time::{clock_time, duration, timestamp};
pub use topology::{TopologyView, ranges_json, ranges_text};
