//! Compiled components on disk.
//!
//! A compiled component is machine code that this process jumps into, so it is only ever read from a
//! directory that belongs to this user alone, and only where its digest is the one that was noted when
//! it was written here. Whatever else is found is compiled again and replaced.
use crate::{
    digest::{sha256, sha256_of},
    manifest::{self, Described},
};
use cap_std::{
    ambient_authority,
    fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt},
};
use quorate_ports::ComponentKind;
use serde::{Deserialize, Serialize};
use std::{
    fs::DirBuilder,
    io::{self, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};
use wasmtime::{Engine, component::Component};

/// Changes with the layout of the files; entries of another one are compiled again.
const FORMAT: u32 = 2;

/// How the cache served when a component was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheUse {
    /// The compiled form was there: nothing was compiled and no guest code ran.
    Hit,
    /// It was compiled and stored for the next time.
    Stored,
    /// What was there couldn't be trusted, for this reason; it was compiled again and replaced.
    Replaced(String),
    /// It was compiled and couldn't be stored, for this reason.
    NotStored(String),
    /// The engine has no cache.
    None,
}

/// A component that was compiled before, and what it said of itself then.
pub(crate) struct Cached<M> {
    pub(crate) component: Component,
    pub(crate) manifest: M,
}

/// What was found for a component.
pub(crate) enum Found<M> {
    Entry(Box<Cached<M>>),
    Nothing,
    Untrusted(String),
}

/// The file beside the compiled form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format: u32,
    /// What it was loaded as: `command` or `strategy`. A manifest is one of that kind.
    kind: String,
    /// SHA-256 of the component.
    component: String,
    /// SHA-256 of the compiled form.
    compiled: String,
    /// The manifest's JSON.
    manifest: String,
    /// SHA-256 of the texts above.
    check: String,
}

impl Note {
    fn new(kind: ComponentKind, component: &str, compiled: String, manifest: String) -> Self {
        let (kind, component) = (kind.to_string(), component.to_owned());
        let mut note =
            Self { format: FORMAT, kind, component, compiled, manifest, check: String::new() };
        note.check = note.digest();
        note
    }

    fn digest(&self) -> String {
        let Self { format, kind, component, compiled, manifest, check: _ } = self;
        sha256(format!("{format}\n{kind}\n{component}\n{compiled}\n{manifest}").as_bytes())
    }
}

/// The directory.
pub(crate) struct Cache {
    path: PathBuf,
    dir: Dir,
    /// This user.
    uid: u32,
    /// What compiled forms have to fit: wasmtime's version, its settings, the processor.
    compatibility: String,
}

impl Cache {
    /// Opens the directory, and makes it where it doesn't exist.
    ///
    /// # Errors
    /// It can't be made or written, or others may write or read it; for people.
    pub(crate) fn open(path: &Path, engine: &Engine) -> Result<Self, String> {
        let say = |error: io::Error| format!("{}: {error}", path.display());
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path).map_err(say)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(say)?;
        // A file that this process makes belongs to the user that it runs as.
        let probe = temporary_name("probe");
        let uid = create(&dir, &probe).and_then(|file| Ok(file.metadata()?.uid()));
        let removed = dir.remove_file(&probe);
        let uid = uid.map_err(say)?;
        removed.map_err(say)?;
        let metadata = dir.dir_metadata().map_err(say)?;
        if metadata.uid() != uid {
            return Err(format!(
                "{}: belongs to another user (uid {}); compiled components are run from there, so it \
                 has to be yours: remove it, or set QUORATE_HOME to a directory of your own",
                path.display(),
                metadata.uid()
            ));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(format!(
                "{0}: others have access (mode {1:03o}); compiled components are run from there: \
                 chmod 700 {0}",
                path.display(),
                metadata.mode() & 0o777
            ));
        }
        let compatibility = sha256_of(engine.precompile_compatibility_hash());
        Ok(Self { path: path.to_owned(), dir, uid, compatibility })
    }

    /// Looks a component up by its digest and what it is to be loaded as.
    pub(crate) fn find<M: Described>(&self, engine: &Engine, component: &str) -> Found<M> {
        let key = self.key(M::KIND, component);
        let note = match self.read(&format!("{key}.json")) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(error) => return Found::Untrusted(self.says(&key, "json", error)),
        };
        let entry = self
            .verified(&key, component, &note)
            .and_then(|(compiled, manifest)| Ok((load(engine, &compiled)?, manifest)));
        match entry {
            Ok((component, manifest)) => Found::Entry(Box::new(Cached { component, manifest })),
            Err(why) => Found::Untrusted(why),
        }
    }

    /// Keeps a compiled component.
    ///
    /// # Errors
    /// What couldn't be written; for people.
    pub(crate) fn store<M: Described>(
        &self,
        component: &str,
        compiled: &[u8],
        manifest: &M,
    ) -> Result<(), String> {
        let key = self.key(M::KIND, component);
        let note = serde_json::to_string(manifest)
            .map(|manifest| Note::new(M::KIND, component, sha256(compiled), manifest))
            .and_then(|note| serde_json::to_vec(&note))
            .map_err(|error| self.says(&key, "json", error))?;
        // The note is last: without it there is no entry.
        for (suffix, bytes) in [("cwasm", compiled), ("json", &note)] {
            self.write(&format!("{key}.{suffix}"), bytes)
                .map_err(|error| self.says(&key, suffix, error))?;
        }
        Ok(())
    }

    fn verified<M: Described>(
        &self,
        key: &str,
        component: &str,
        note: &[u8],
    ) -> Result<(Vec<u8>, M), String> {
        let note: Note =
            serde_json::from_slice(note).map_err(|error| self.says(key, "json", error))?;
        let asked = note.format == FORMAT
            && note.kind == M::KIND.to_string()
            && note.component == component;
        if !asked || note.check != note.digest() {
            return Err(self.says(key, "json", "it isn't what was written"));
        }
        let manifest =
            manifest::read(&note.manifest).map_err(|error| self.says(key, "json", error))?;
        let compiled =
            self.read(&format!("{key}.cwasm")).map_err(|error| self.says(key, "cwasm", error))?;
        if sha256(&compiled) != note.compiled {
            return Err(self.says(key, "cwasm", "its digest isn't the one that was noted"));
        }
        Ok((compiled, manifest))
    }

    /// The kind is in it: what is read for a strategy was never written for a command.
    fn key(&self, kind: ComponentKind, component: &str) -> String {
        format!("{component}-{kind}-{}", &self.compatibility[..16])
    }

    fn says(&self, key: &str, suffix: &str, what: impl std::fmt::Display) -> String {
        format!("{}: {what}", self.path.join(format!("{key}.{suffix}")).display())
    }

    /// Reads a file of this user that nobody else may write.
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        // Links aren't followed: what is checked is what is read.
        if !self.dir.symlink_metadata(name)?.is_file() {
            return Err(io::Error::other("it isn't a regular file"));
        }
        let mut file = self.dir.open(name)?;
        let metadata = file.metadata()?;
        if metadata.uid() != self.uid || metadata.mode() & 0o077 != 0 {
            return Err(io::Error::other("it isn't this user's alone"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a file whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = temporary_name(name);
        let written = create(&self.dir, &temporary)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| self.dir.rename(&temporary, &self.dir, name));
        if written.is_err() {
            // The first error is the one to tell.
            let _ = self.dir.remove_file(&temporary);
        }
        written
    }
}

fn create(dir: &Dir, name: &str) -> io::Result<cap_std::fs::File> {
    dir.open_with(name, OpenOptions::new().write(true).create_new(true).mode(0o600))
}

fn temporary_name(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".{name}.{}.{count}", std::process::id())
}

/// Loads what [`Cache::verified`] gave.
#[allow(unsafe_code)]
fn load(engine: &Engine, compiled: &[u8]) -> Result<Component, String> {
    // SAFETY: `deserialize` trusts its input to come from wasmtime unchanged. These bytes, in memory and
    // out of anybody's reach now, have the digest that this program noted when it had compiled them, in
    // files of this user in a directory that only this user may enter. Whoever could change both could
    // change this program as well. wasmtime itself checks version, settings and processor.
    unsafe { Component::deserialize(engine, compiled) }
        .map_err(|error| format!("the compiled component can't be loaded: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_contract::{Manifest, StrategyManifest};

    #[test]
    fn an_entry_of_one_kind_is_not_taken_for_the_other() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("cache");
        let engine = Engine::default();
        let cache = Cache::open(&path, &engine).unwrap();
        let empty = Component::from_binary(&engine, b"\0asm\x0d\0\x01\0").unwrap();
        let manifest: StrategyManifest =
            manifest::read(r#"{"name": "rack", "version": "0.1.0", "summary": "s"}"#).unwrap();
        cache.store("digest", &empty.serialize().unwrap(), &manifest).unwrap();
        let Found::Entry(entry) = cache.find::<StrategyManifest>(&engine, "digest") else {
            panic!("it isn't found");
        };
        assert_eq!(entry.manifest, manifest);
        assert!(matches!(cache.find::<Manifest>(&engine, "digest"), Found::Nothing));

        // Where it has got into the other's place.
        for suffix in ["json", "cwasm"] {
            let place = |kind| path.join(format!("{}.{suffix}", cache.key(kind, "digest")));
            let (from, to) = (place(ComponentKind::Strategy), place(ComponentKind::Command));
            std::fs::rename(from, to).unwrap();
        }
        let Found::Untrusted(why) = cache.find::<Manifest>(&engine, "digest") else {
            panic!("it is taken for a command");
        };
        assert!(why.contains("it isn't what was written"), "{why}");
    }
}
