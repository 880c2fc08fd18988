//! The kept corpus of the fuzz targets, run without libFuzzer: what once told something is told again.
#![allow(clippy::unwrap_used)]
use std::{fs, path::Path};

#[allow(dead_code, unreachable_pub, missing_docs)]
#[path = "../../../tests/fuzz/src/targets.rs"]
mod targets;

#[test]
fn the_kept_corpus_runs_without_a_panic() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    for (name, target) in targets::ALL {
        let mut count = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap_or_else(|e| panic!("{name}: {e}")) {
            if let Ok(text) = fs::read_to_string(entry.unwrap().path()) {
                target(&text);
                count += 1;
            }
        }
        assert!(count > 5, "{name}: a corpus of {count}");
    }
}
