//! Job ids.
use quorate_ports::{JobId, UnixMs};

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// 2020-01-01 UTC, so that ids stay at eight characters until 2109.
const EPOCH_MS: u64 = 1_577_836_800_000;

/// An id that sorts by time of creation: milliseconds in base 36, eight characters.
pub fn new_job_id(now: UnixMs) -> JobId {
    let mut rest = now.saturating_sub(EPOCH_MS);
    let mut id = [b'0'; 8];
    for place in id.iter_mut().rev() {
        *place = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    JobId(id.iter().map(|b| char::from(*b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time() {
        let times = [EPOCH_MS, EPOCH_MS + 35, EPOCH_MS + 36, 1_795_000_000_000, 1_795_000_000_001];
        let ids: Vec<_> = times.iter().map(|t| new_job_id(*t).0).collect();
        let mut sorted = ids.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(ids, sorted);
        assert!(ids.iter().all(|id| id.len() == 8));
    }
}
