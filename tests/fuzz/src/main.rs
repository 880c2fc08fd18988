//! One program for all targets: `QUORATE_FUZZ_TARGET` names the one to run.
#![cfg_attr(fuzzing, no_main)]

mod targets;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: std::sync::OnceLock<fn(&str)> = std::sync::OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name =
            std::env::var("QUORATE_FUZZ_TARGET").expect("QUORATE_FUZZ_TARGET names a target");
        let found = targets::ALL.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("there is no target {name}")).1
    });
    // Whoever asks a node refuses bytes that are no text before a parser sees them.
    if let Ok(text) = core::str::from_utf8(data) {
        target(text);
    }
});

/// Without libFuzzer: names the targets.
#[cfg(not(fuzzing))]
fn main() {
    targets::ALL.iter().for_each(|(name, _)| println!("{name}"));
}
