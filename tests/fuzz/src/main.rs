//! One program for all targets: `QUORATE_FUZZ_TARGET` names the one to run.
#![cfg_attr(fuzzing, no_main)]

#[cfg(feature = "transport")]
mod outside;
mod targets;

/// What runs an input.
#[derive(Clone, Copy)]
enum Target {
    /// Whoever asks a node refuses bytes that are no text before a parser sees them.
    Text(fn(&str)),
    #[cfg(feature = "transport")]
    Bytes(fn(&[u8])),
}

fn all() -> Vec<(&'static str, Target)> {
    let all = targets::ALL.into_iter().map(|(name, run)| (name, Target::Text(run)));
    #[cfg(feature = "transport")]
    let all = all.chain(outside::ALL.into_iter().map(|(name, run)| (name, Target::Bytes(run))));
    all.collect()
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: std::sync::OnceLock<Target> = std::sync::OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name =
            std::env::var("QUORATE_FUZZ_TARGET").expect("QUORATE_FUZZ_TARGET names a target");
        let found = all().into_iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("there is no target {name}")).1
    });
    match target {
        Target::Text(run) => {
            if let Ok(text) = core::str::from_utf8(data) {
                run(text);
            }
        }
        #[cfg(feature = "transport")]
        Target::Bytes(run) => run(data),
    }
});

/// Without libFuzzer: names the targets.
#[cfg(not(fuzzing))]
fn main() {
    all().iter().for_each(|(name, _)| println!("{name}"));
}
