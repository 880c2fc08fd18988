//! The cache of compiled components.
#![allow(clippy::unwrap_used)]

mod support;

use quorate_ports::CommandHost;
use quorate_wasm::{CacheUse, Engine, EngineError, EngineOptions, Limits};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use support::{Fake, bundled, hostile, plain, run};

fn engine(path: &Path) -> Engine {
    let options = EngineOptions { cache_dir: Some(path.to_owned()), limits: Limits::default() };
    Engine::new(options).unwrap()
}

fn files(path: &Path, suffix: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|file| file.extension().is_some_and(|found| found == suffix)).collect()
}

async fn cache_use(path: &Path) -> CacheUse {
    let command = engine(path).load("restart", bundled("restart")).await.unwrap();
    assert_eq!(command.manifest().name, "restart");
    command.cache().clone()
}

#[tokio::test]
async fn a_component_is_compiled_once_and_asked_for_its_manifest_once() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a/cache");
    assert_eq!(cache_use(&path).await, CacheUse::Stored);
    assert_eq!(cache_use(&path).await, CacheUse::Hit);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    for file in left {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_component_from_the_cache_runs() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cache");
    for _ in 0..2 {
        let command = engine(&path).load("behaves", hostile("behaves")).await.unwrap();
        let effects = Fake::new();
        run(&command, plain(), &effects).await;
        assert_eq!(effects.lines()[0], "log Info begin");
    }
}

#[tokio::test]
async fn an_entry_that_was_changed_is_not_loaded_but_compiled_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cache");
    cache_use(&path).await;
    let replaced = async |what: &str, change: &dyn Fn()| {
        change();
        let CacheUse::Replaced(why) = cache_use(&path).await else { panic!("{what}: loaded") };
        assert!(why.contains(what), "{why}");
        assert_eq!(cache_use(&path).await, CacheUse::Hit);
    };
    let change = |suffix: &str, with: &dyn Fn(&mut Vec<u8>)| {
        let file = &files(&path, suffix)[0];
        let mut bytes = fs::read(file).unwrap();
        with(&mut bytes);
        fs::write(file, bytes).unwrap();
    };
    let edit_note = |from: &str, to: &str| {
        change("json", &|bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            *bytes = text.replace(from, to).into_bytes();
        });
    };
    replaced("its digest isn't", &|| {
        change("cwasm", &|bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
    })
    .await;
    replaced("its digest isn't", &|| change("cwasm", &|bytes| bytes.truncate(100))).await;
    replaced("it isn't what was written", &|| edit_note("Restart Cassandra", "Rm Cassandra")).await;
    replaced("it isn't what was written", &|| edit_note("\"format\":2", "\"format\":1")).await;
    replaced(".json", &|| change("json", &|bytes| bytes.truncate(20))).await;
    replaced("No such file", &|| fs::remove_file(&files(&path, "cwasm")[0]).unwrap()).await;
    replaced("this user's alone", &|| {
        let everybody = Permissions::from_mode(0o666);
        fs::set_permissions(&files(&path, "cwasm")[0], everybody).unwrap();
    })
    .await;
    replaced("regular file", &|| {
        let file = files(&path, "cwasm").remove(0);
        let elsewhere = home.path().join("elsewhere");
        fs::rename(&file, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_entry_of_another_component_is_not_loaded() {
    let home = tempfile::tempdir().unwrap();
    let (path, other) = (home.path().join("cache"), home.path().join("other"));
    cache_use(&path).await;
    engine(&other).load("run", bundled("run")).await.unwrap();
    for suffix in ["json", "cwasm"] {
        fs::copy(&files(&other, suffix)[0], &files(&path, suffix)[0]).unwrap();
    }
    assert!(matches!(cache_use(&path).await, CacheUse::Replaced(_)));
}

#[test]
fn a_directory_that_others_may_enter_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cache");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let options = EngineOptions { cache_dir: Some(path), limits: Limits::default() };
    let Err(EngineError::Cache(why)) = Engine::new(options) else { panic!("accepted") };
    assert!(why.contains("mode 755") && why.contains("chmod 700"), "{why}");
}

#[tokio::test]
async fn a_cache_that_can_not_be_written_is_told_and_hinders_nobody() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cache");
    let engine = engine(&path);
    fs::remove_dir(&path).unwrap();
    let command = engine.load("run", bundled("run")).await.unwrap();
    assert!(matches!(command.cache(), CacheUse::NotStored(_)), "{:?}", command.cache());
}
