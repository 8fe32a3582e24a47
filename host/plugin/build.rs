//! Builds `plugins/*` as components, compiles them to native code with the host's engine configuration, and embeds both.
//!
//! The list of built-ins is the list of folders; nothing else names them. A plugin that does not compile stops a release
//! build. Otherwise it is left out with a warning, and using it says why: the rest can be worked on meanwhile.

#[path = "build/describe.rs"]
mod describe;
#[path = "src/engine_config.rs"]
mod engine_config;

include!("src/manifest_section.rs");

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "component";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // As the compiler wrote it, not as Rust would quote it.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let release = env::var("PROFILE")? == "release";
    for watched in ["plugins", "sdk/src", "sdk/Cargo.toml", "wit", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/engine_config.rs");
    println!("cargo::rerun-if-changed=src/manifest_section.rs");
    println!("cargo::rerun-if-changed=build/describe.rs");

    let plugins = plugins(&root.join("plugins"))?;
    let target_dir = target_dir(&out).join("plugins");
    if let Err(why) = add_target() {
        println!("cargo::warning={why}");
    }
    let mut code = String::from("const ALL: &[BuiltIn] = &[\n");
    for plugin in &plugins {
        let entry = match build(&root, &target_dir, plugin).and_then(|wasm| embed(&out, plugin, &wasm)) {
            Ok(entry) => entry,
            Err(why) if release => {
                return Err(format!("the plugin `{}` can't be built in: {why}", plugin.folder).into());
            }
            Err(why) => {
                println!("cargo::warning=the plugin `{}` is not built in: {}", plugin.folder, first_error(&why));
                println!(
                    "cargo::warning=see all of it with: cargo build -p {} --profile {PROFILE} --target {TARGET} --target-dir target/plugins",
                    plugin.package
                );
                format!(
                    "    BuiltIn {{ name: {:?}, digest: \"\", kinds: None, wasm: &[], native: &[], problem: Some({:?}) }},\n",
                    plugin.folder,
                    first_error(&why)
                )
            }
        };
        code.push_str(&entry);
    }
    code.push_str("];\n");
    write_if_changed(&out.join("built_in.rs"), code.as_bytes())?;
    Ok(())
}

struct PluginFolder {
    folder: String,
    package: String,
}

/// The folders with a package, by name.
fn plugins(folder: &Path) -> Result<Vec<PluginFolder>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Ok(manifest) = fs::read_to_string(path.join("Cargo.toml")) else { continue };
        let name = path.file_name().ok_or("a plugin folder without a name")?.to_string_lossy().into_owned();
        let package = manifest
            .lines()
            .filter_map(|l| l.split_once('='))
            .find(|(key, _)| key.trim() == "name")
            .map(|(_, value)| value.trim().trim_matches('"').to_owned())
            .ok_or_else(|| format!("`plugins/{name}/Cargo.toml` has no package name"))?;
        found.push(PluginFolder { folder: name, package });
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(found)
}

/// The target folder of the build that runs: plugins go beside it, so that no two builds wait for one lock.
fn target_dir(out: &Path) -> PathBuf {
    out.ancestors().find(|a| a.join("CACHEDIR.TAG").exists()).unwrap_or(out).to_owned()
}

/// Adds the target where rustup has not got it. Without rustup the compiler may have it anyway.
fn add_target() -> Result<(), String> {
    let installed = cleaned(Command::new("rustup")).args(["target", "list", "--installed"]).output();
    match installed {
        Ok(output)
            if output.status.success() && String::from_utf8_lossy(&output.stdout).lines().any(|l| l == TARGET) =>
        {
            Ok(())
        }
        Ok(output) if output.status.success() => {
            let added =
                cleaned(Command::new("rustup")).args(["target", "add", TARGET]).output().map_err(|e| e.to_string())?;
            if added.status.success() {
                return Ok(());
            }
            Err(format!("`rustup target add {TARGET}` failed: {}", String::from_utf8_lossy(&added.stderr).trim()))
        }
        _ => Ok(()),
    }
}

/// A command without what the outer build has set for its own compiler.
fn cleaned(mut command: Command) -> Command {
    const KEPT: [&str; 5] = ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_SOURCE_"];
    for (key, _) in env::vars_os() {
        let Some(name) = key.to_str() else { continue };
        let cargo = name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept));
        let compiler = name.starts_with("RUSTC")
            || name.starts_with("RUSTFLAGS")
            || name.starts_with("RUSTDOC")
            || name.starts_with("CLIPPY_");
        let build = ["TARGET", "HOST", "OPT_LEVEL", "DEBUG", "PROFILE", "NUM_JOBS", "OUT_DIR", "MAKEFLAGS", "MFLAGS"]
            .contains(&name);
        if cargo || compiler || build || name.starts_with("DEP_") {
            command.env_remove(&key);
        }
    }
    command
}

fn build(root: &Path, target_dir: &Path, plugin: &PluginFolder) -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = cleaned(Command::new(cargo))
        .current_dir(root)
        .args([
            "build",
            "--quiet",
            "--lib",
            "--package",
            &plugin.package,
            "--profile",
            PROFILE,
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(target_dir)
        .output()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let file = target_dir.join(TARGET).join(PROFILE).join(format!("{}.wasm", plugin.package.replace('-', "_")));
    if file.exists() { Ok(file) } else { Err(format!("the build made no `{}`; is it a `cdylib`?", file.display())) }
}

/// Copies the component, compiles it, and says how to embed both.
fn embed(out: &Path, plugin: &PluginFolder, wasm: &Path) -> Result<String, String> {
    let bytes = fs::read(wasm).map_err(|e| e.to_string())?;
    let target = env::var("TARGET").map_err(|e| e.to_string())?;
    let copy = out.join(format!("{}.wasm", plugin.folder));
    let native = out.join(format!("{}.cwasm", plugin.folder));
    let mark = out.join(format!("{}.mark", plugin.folder));
    // The same component and the same engine need not be compiled again.
    let made_of = made_of(&bytes, &target)?;
    if !(native.exists() && fs::read_to_string(&mark).is_ok_and(|m| m == made_of)) {
        match precompile(&bytes, &target) {
            Ok(code) => fs::write(&native, code).map_err(|e| e.to_string())?,
            Err(why) if target_is_host(&target) => {
                return Err(format!("it is not a component that this engine compiles: {why}"));
            }
            Err(why) => {
                // The compiler knows the host's processor only; the plugin is then compiled where kedge runs.
                println!(
                    "cargo::warning=the plugin `{}` is embedded without native code for {target}: {why}",
                    plugin.folder
                );
                fs::write(&native, []).map_err(|e| e.to_string())?;
            }
        }
        fs::write(&mark, &made_of).map_err(|e| e.to_string())?;
    }
    // What it says of itself goes into the file, so that it can be inspected without running it.
    let mut bytes = bytes;
    let mut kinds = None;
    let code = fs::read(&native).map_err(|e| e.to_string())?;
    if !code.is_empty() && target_is_host(&target) {
        let description =
            describe::describe(&engine(&target)?, &code).map_err(|e| format!("it does not describe itself: {e:#}"))?;
        append(&mut bytes, "kedge:description", description.as_bytes());
        kinds = Some(claimed(&description)?);
    }
    write_if_changed(&copy, &bytes).map_err(|e| e.to_string())?;
    let digest = sha256(&bytes);
    let mut entry = String::new();
    writeln!(
        entry,
        "    BuiltIn {{ name: {:?}, digest: {digest:?}, kinds: {}, wasm: include_bytes!({:?}), native: include_bytes!({:?}), problem: None }},",
        plugin.folder,
        kinds.map_or_else(|| "None".to_owned(), |kinds| format!("Some(&{kinds:?})")),
        copy.to_string_lossy(),
        native.to_string_lossy()
    )
    .map_err(|e| e.to_string())?;
    Ok(entry)
}

/// The kinds in a description.
fn claimed(description: &str) -> Result<Vec<String>, String> {
    let description: serde_json::Value = serde_json::from_str(description).map_err(|e| e.to_string())?;
    let claims = description.get("kinds").and_then(|kinds| kinds.as_array()).ok_or("it claims no kinds")?;
    Ok(claims.iter().filter_map(|claim| claim.get("kind")?.as_str()).map(str::to_owned).collect())
}

fn target_is_host(target: &str) -> bool {
    env::var("HOST").is_ok_and(|host| host.split('-').next() == target.split('-').next())
}

fn precompile(bytes: &[u8], target: &str) -> Result<Vec<u8>, String> {
    let engine = engine(target)?;
    engine.precompile_component(bytes).map_err(|e| format!("{e:#}"))
}

fn engine(target: &str) -> Result<wasmtime::Engine, String> {
    let config = engine_config::engine_config(Some(target)).map_err(|e| format!("{e:#}"))?;
    wasmtime::Engine::new(&config).map_err(|e| format!("{e:#}"))
}

fn made_of(bytes: &[u8], target: &str) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    engine(target)?.precompile_compatibility_hash().hash(&mut hasher);
    Ok(format!("{} {:x}", sha256(bytes), hasher.finish()))
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

/// Keeps the time of what did not change, so that nothing is compiled again for it.
fn write_if_changed(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes)
}

/// The line of a compiler's output that says what is wrong.
fn first_error(output: &str) -> String {
    let mut lines = output.lines().map(str::trim).filter(|l| !l.is_empty());
    let first = lines.clone().find(|l| l.starts_with("error")).or_else(|| lines.next()).unwrap_or("no reason given");
    let place = output.lines().map(str::trim).find(|l| l.starts_with("--> ")).unwrap_or_default();
    format!("{first} {place}").trim_end().to_owned()
}
